"""Which fields hold something of a person's, by what they are called."""

from __future__ import annotations

import re

from connector_assets.authoring.imports.secret_values import is_secret_name
from connector_assets.authoring.recording.made_up_values import Kind

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LAST: dict[Kind, str] = {
    "name": "name surname firstname lastname fullname nickname username login",
    "phone": "phone mobile fax tel telephone cell whatsapp msisdn",
    "address": "address street city zip postcode zipcode postalcode lat lng lon latitude longitude",
    "birth": "birthday birthdate dob birth",
    "number": "ssn iban bic passport vat",
    "text": "note notes comment comments message bio remark remarks feedback",
}
_LAST_TWO: dict[Kind, str] = {
    "name": "first_name last_name full_name family_name given_name middle_name display_name"
    " maiden_name nick_name user_name contact_name customer_name person_name owner_name"
    " sender_name recipient_name cardholder_name holder_name employee_name assignee_name"
    " sur_name fore_name author_name creator_name legal_name real_name screen_name",
    "phone": "phone_number phone_no",
    "address": "address_1 address_2 address_3 line_1 line_2 line_3 postal_code zip_code"
    " street_address address_line",
    "birth": "birth_date birth_day",
    "number": "iban_number account_number account_no bank_account card_number"
    " cc_number license_number passport_number security_number"
    " tax_id vat_id national_id vat_number tax_number",
}
_BY_LAST = {word: kind for kind, words in _LAST.items() for word in words.split()}
_BY_TWO = {words: kind for kind, listed in _LAST_TWO.items() for words in listed.split()}
_FORMS = frozenset(
    [
        "html",
        "text",
        "raw",
        "plain",
        "kana",
        "kanji",
        "hash",
        "formatted",
        "normalized",
        "encrypted",
    ]
)
"""Words behind a name that say how the same value is written."""


def kind_of(name: str) -> Kind | None:
    """What a field of this name holds of somebody's, if anything.

    >>> kind_of("billing_phone"), kind_of("lastName"), kind_of("file_name"), kind_of("apiKey")
    ('phone', 'name', None, 'secret')
    >>> kind_of("phones"), kind_of("note_html"), kind_of("file_names")
    ('phone', 'text', None)
    """
    if is_secret_name(name):
        return "secret"
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and words[-1] in _FORMS:
        words.pop()
    if not words:
        return None
    if words[-1] not in _BY_LAST:
        words[-1] = words[-1].removesuffix("s")
    found = _BY_TWO.get("_".join(words[-2:]))
    is_of_things = words[-1] == "name" and len(words) > 1
    return found or (None if is_of_things else _BY_LAST.get(words[-1]))
