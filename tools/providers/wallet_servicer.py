"""WalletService: protos to the wallet and back."""

from typing import Any

from meshkit.money import from_minor
from meshkit.rpc.fields import Fields
from peakmesh.provider.v1 import wallet_service_pb2 as pb
from peakmesh.provider.v1 import wallet_service_pb2_grpc as rpc
from tools.providers import checks
from tools.providers.wallet import Debit, Wallet

_STATES = {"DONE": pb.DEBIT_STATE_DONE, "DECLINED": pb.DEBIT_STATE_DECLINED, "VOIDED": pb.DEBIT_STATE_VOIDED}
_SHOWN_CURRENCY = "EUR"  # GetBalance names no currency; a wallet's other ones are seen in the journal


class WalletServicer(rpc.WalletServiceServicer):
    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet

    def Debit(self, request: pb.DebitRequest, _context: Any) -> pb.DebitResponse:
        minor = checks.amount(request, low=1)
        debit = self._wallet.debit(request.idempotency_key, request.user_id, minor, request.amount.currency_code)
        return pb.DebitResponse(debit=_message(debit))

    def Refund(self, request: pb.RefundRequest, _context: Any) -> pb.RefundResponse:
        key, debit_key = checks.keys(request, "idempotency_key", "debit_key")
        return pb.RefundResponse(transfer_id=self._wallet.refund(key, debit_key))

    def Void(self, request: pb.VoidRequest, _context: Any) -> pb.VoidResponse:
        [key] = checks.keys(request, "idempotency_key")
        debit = self._wallet.void(key)
        return pb.VoidResponse(debit=_message(debit), refunded=bool(debit.refund_transfer_id))

    def GetDebit(self, request: pb.GetDebitRequest, _context: Any) -> pb.GetDebitResponse:
        [key] = checks.keys(request, "idempotency_key")
        return pb.GetDebitResponse(debit=_message(self._wallet.find(key)))

    def SetBalance(self, request: pb.SetBalanceRequest, _context: Any) -> pb.SetBalanceResponse:
        fields = Fields()
        fields.between("user_ids", len(request.user_ids), 1, 10_000)
        for position, user_id in enumerate(request.user_ids):
            fields.ident(f"user_ids[{position}]", user_id)
        minor = checks.money(fields, "balance", request.balance, low=0)
        fields.check()
        self._wallet.set_balances(request.user_ids, minor, request.balance.currency_code)
        return pb.SetBalanceResponse()

    def GetBalance(self, request: pb.GetBalanceRequest, _context: Any) -> pb.GetBalanceResponse:
        fields = Fields()
        fields.ident("user_id", request.user_id)
        fields.check()
        minor = self._wallet.balance(request.user_id, _SHOWN_CURRENCY)
        return pb.GetBalanceResponse(balance=from_minor(minor, _SHOWN_CURRENCY))


def _message(debit: Debit) -> pb.Debit:
    return pb.Debit(
        idempotency_key=debit.key,
        state=_STATES[debit.state],
        user_id=debit.user_id,
        amount=from_minor(debit.amount_minor, debit.currency) if debit.currency else None,
        transfer_id=debit.transfer_id,
        reason=debit.reason,
    )
