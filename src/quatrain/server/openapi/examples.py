"""Requests and answers as the contracts have them, by the id of their operation."""

from __future__ import annotations

from typing import Any, Final

_ENVELOPE: Final = {
    "extension_id": 7,
    "extension_name": "GHL Sync",
    "venture_id": "default",
    "sandbox": False,
}
_HOLDER: Final = {
    "effectKey": "order-1042:charge",
    "fenceToken": 1,
    "leaseToken": "made-up-by-the-platform",
}
_TASK: Final = {
    "action": "Call the first ten customers",
    "module_source": "L12",
    "category": "strategy",
    "timeframe": "this_week",
    "quadrant": "do_first",
    "assignee": "Ada",
    "deadline": "2026-12-01",
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "verity_lease": {
        "body": {
            "effectKey": "order-1042:charge",
            "effectName": "charge",
            "agentId": "agent-7",
            "leaseDurationMs": 30_000,
            "inputJson": {"amount": 4200},
        },
        "answer": {
            "status": "granted",
            "effectId": "eff_00000000002a",
            "effectKey": "order-1042:charge",
            "fenceToken": 1,
            "leaseToken": "made-up-by-the-platform",
            "leaseExpiresAt": "2026-05-17T09:30:30.000Z",
            "priorState": "none",
        },
    },
    "verity_commit": {
        "body": {**_HOLDER, "result": {"charge": "ch_1"}, "source": "acted"},
        "answer": {
            "status": "accepted",
            "effectId": "eff_00000000002a",
            "fenceToken": 1,
            "message": "the effect is committed",
        },
    },
    "verity_fail": {
        "body": {
            **_HOLDER,
            "error": {"name": "CardDeclined", "message": "declined", "stack": ""},
            "source": "acted",
        },
        "answer": {
            "status": "recorded",
            "effectId": "eff_00000000002a",
            "fenceToken": 1,
            "message": "the failure is recorded",
        },
    },
    "verity_renew": {
        "body": {**_HOLDER, "extensionMs": 30_000},
        "answer": {"status": "renewed", "leaseExpiresAt": "2026-05-17T09:31:00.000Z"},
    },
    "verity_report_observe": {"body": {**_HOLDER, "hit": False, "durationMs": 12}},
    "verity_reset": {"body": {"effectKey": "order-1042:charge", "reason": "the card works again"}},
    "velocity_whoami": {
        "answer": {
            "ok": True,
            "data": {
                "user": {
                    "email": "founder@example.com",
                    "name": "Ada",
                    "tier": "growth",
                    "venture_id": "default",
                },
                "extension": {
                    "id": 7,
                    "name": "GHL Sync",
                    "slug": "ghl-sync",
                    "developer": "Acme",
                    "granted_scopes": ["read:tasks", "write:tasks"],
                },
            },
            **_ENVELOPE,
        }
    },
    "velocity_create_task": {
        "body": _TASK,
        "answer": {"ok": True, "data": {"created": _TASK}, **_ENVELOPE},
    },
    "velocity_add_member": {
        "body": {"name": "Ada", "role": "CTO", "email": "ada@example.com"},
        "answer": {
            "ok": True,
            "data": {"created": {"name": "Ada", "role": "CTO", "email": "ada@example.com"}},
            **_ENVELOPE,
        },
    },
    "velerian_invoke": {"body": {"payload": {"prompt": "May I refund order 1042?"}}},
    "velerian_invoke_network": {"body": {"prompt_text": "Write this week's report"}},
    "velerian_create_key": {"body": {"name": "reports", "scopes": ["runs:read", "audit:read"]}},
    "vendo_get_token": {
        "answer": {
            "access_token": "made-up-by-the-platform",
            "expires_at": "2026-05-17T10:30:00.000Z",
            "token_type": "Bearer",
        }
    },
    "vendo_balance": {
        "answer": {"credits_remaining_micros": 5_000_000, "currency": "USD", "top_up_url": None}
    },
    "vendo_subscribe": {
        "answer": (
            ": connected\nid: 41\n\n"
            'id: 42\nevent: connection.changed\ndata: {"kind": "connection.changed"}\n\n'
        )
    },
    "vendo_execute": {
        "body": {"action_id": "vendo.echo", "args": {"hello": "world"}},
        "answer": {"data": {"hello": "world"}},
    },
}
