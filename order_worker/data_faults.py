"""Records that no retry can write, told from servers that are in trouble."""

from sqlalchemy.exc import DBAPIError, StatementError

from meshkit.db.errors import DATA_ERRORS, error_number


class DataFault(Exception):
    """A record that no retry can write; the message says why."""


def is_data_error(error: BaseException) -> bool:
    """True where the record is to blame: bisect the batch down to it.

    Any other refusal (a missing table, a denied account) ends the worker: it would send every order to the DLQ.
    """
    if isinstance(error, DataFault):
        return True
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
        return True
    return error_number(error) in DATA_ERRORS
