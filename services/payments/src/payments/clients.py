"""The card processor, as payments sees it: a third party whose answers decide what is known of a charge."""

from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from chassis.breaker import BreakerOpen
from chassis.errors import DependencyUnavailable
from chassis.http_client import HttpClient, Unreachable
from payments.domain import Charged, Declined, NotSent, Outcome, OutcomeUnknown, Payment, ProcessorContradicts

_REUSED = "urn:banyan:problem:idempotency-key-reused"
_UNKNOWN_CARD = "urn:banyan:problem:unknown-card"
_TURNED_AWAY = (401, 403, 429)  # before the processor has looked at the charge


class _Charge(BaseModel):
    id: UUID
    state: str
    reason: str | None
    amount: int
    currency: str


class _Problem(BaseModel):
    type: str = ""


class HttpProcessor:
    """Charges with the order's id as key, so that even a repetition that should not be cannot charge twice.

    Nothing is retried here: a command that cannot be carried out is delivered again, and one layer of retries is
    enough.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def charge(self, payment: Payment) -> Outcome:
        body = {"amount": payment.amount, "currency": payment.currency, "card_token": payment.card_token}
        headers = {"Idempotency-Key": str(payment.order_id)}
        try:
            answer = await self._http.request("POST", "/v1/charges", json=body, headers=headers)
        except (BreakerOpen, Unreachable) as error:
            raise NotSent(str(error)) from error
        except DependencyUnavailable as error:
            # A 5xx too: the processor may have failed after the charge was in its ledger.
            raise OutcomeUnknown(str(error)) from error
        return _charged(answer, payment)

    async def find(self, payment: Payment) -> Outcome | None:
        path = f"/v1/charges/by-key/{payment.order_id}"
        answer = await self._http.request("GET", path, idempotent=False)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise DependencyUnavailable(f"the processor answered a question with {answer.status_code}")
        try:
            return _outcome(answer, payment)
        except OutcomeUnknown as error:
            raise DependencyUnavailable(str(error)) from error

    async def refund(self, payment: Payment) -> None:
        headers = {"Idempotency-Key": f"refund-{payment.order_id}"}
        path = f"/v1/charges/{payment.charge_id}/refunds"
        answer = await self._http.request("POST", path, json={"amount": payment.amount}, headers=headers)
        if answer.status_code in _TURNED_AWAY:
            raise DependencyUnavailable(f"the processor turned the refund away with {answer.status_code}")
        if answer.status_code != 201:
            raise ProcessorContradicts(f"the processor answered a refund with {answer.status_code}")


def _charged(answer: httpx.Response, payment: Payment) -> Outcome:
    if answer.status_code == 201:
        return _outcome(answer, payment)
    if answer.status_code in _TURNED_AWAY:
        raise NotSent(f"the processor turned the charge away with {answer.status_code}")
    problem = _problem(answer)
    if answer.status_code not in (400, 422) or problem == _REUSED:
        raise OutcomeUnknown(f"the processor answered {answer.status_code}")
    # What it refuses as it stands it will refuse for ever; to repeat it would keep the order from ending.
    return Declined("unknown_card" if problem == _UNKNOWN_CARD else "refused_by_processor")


def _outcome(answer: httpx.Response, payment: Payment) -> Outcome:
    try:
        charge = _Charge.model_validate_json(answer.content)
    except ValidationError as error:
        raise OutcomeUnknown("the processor's answer cannot be read") from error
    if (charge.amount, charge.currency) != (payment.amount, payment.currency):
        raise ProcessorContradicts(f"charge {charge.id} is not what order {payment.order_id} asked for")
    if charge.state == "charged":
        return Charged(charge.id)
    if charge.state == "declined":
        return Declined(charge.reason or "declined")
    raise OutcomeUnknown(f"the processor's charge is {charge.state}")


def _problem(answer: httpx.Response) -> str:
    try:
        return _Problem.model_validate_json(answer.content).type
    except ValidationError:
        return ""
