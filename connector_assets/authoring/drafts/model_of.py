"""Which model drafts: named by an option or a variable, of any provider that pydantic-ai knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector_assets.authoring.drafts.bounds import Spent
from connector_assets.errors import ConfigError

if TYPE_CHECKING:
    from connector_assets.authoring.drafts.by_model import Judge, ModelDrafting


def asked_model(model: Any, judge: Judge, spent: Spent) -> ModelDrafting:
    """The model, ready to draft; ConfigError where the extra is missing or nothing is called so.

    A name is PROVIDER:MODEL. Its key, and the base URL of a server on the user's own machine, come
    from the variables of the provider, as OPENAI_API_KEY and OPENAI_BASE_URL.
    """
    try:
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model

        from connector_assets.authoring.drafts.by_model import ModelDrafting
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pydantic_ai":
            raise
        what = 'the package "pydantic-ai-slim" is not installed'
        raise ConfigError(what, where="model", fix="pip install 'connector-assets[ai]'") from None
    try:
        made = infer_model(model)
    except (UserError, ImportError, ValueError) as error:
        what = f"cannot be used: {type(error).__name__}"
        fix = "name it PROVIDER:MODEL, set the provider's key, and install its package"
        raise ConfigError(what, where="model", fix=fix) from None
    spent.model = made.model_name
    return ModelDrafting(made, judge, spent)
