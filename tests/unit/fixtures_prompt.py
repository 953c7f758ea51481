"""Passages and lines of a chat."""

from shared.model import Passage


def passage(text: str, title: str = "Returns", relevance: float = 0.8, id: int = 1) -> Passage:
    return Passage(chunk_id=id, document_id=id, title=title, ordinal=0, text=text, score=1.0, relevance=relevance)


RETURNS = passage("You can return anything within 30 days. Keep the receipt. Refunds take five days.")
SHIPPING = passage("We ship with DHL. Parcels take three days.", "Shipping", 0.7, 2)
