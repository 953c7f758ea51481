"""Whether a text right after the offer of a person takes it."""

from __future__ import annotations

import pytest

from shared.triage import consent

GIVEN = """
yes, please connect me|yes hand me over|sure, connect me|yes I'd like that|go ahead|Yes. My name is Ada, order 555|gern
Ja, verbinden Sie mich bitte|please connect me|Yes please, I have been waiting since Monday|yes can you connect me?
Ja, mein Name ist Ada|Sehr gerne, Bestellung 555|Sí, por favor, me llamo Ada|Oui, je veux bien|Oui, mon nom est Ada
Sim, por favor, meu nome é Ada|Sì, volentieri|Sì, mi chiamo Ada|Ja graag, mijn naam is Ada|Tak, poproszę|Tak, nazywam się Ada
Да, давайте|Да, меня зовут Ада|Так, мене звати Ада|Evet, adım Ada|Evet lütfen, bağlayın|نعم، اسمي آدا|हाँ, मेरा नाम आदा है
Ya, nama saya Ada|はい、お願いします|はい、エイダです|네, 부탁드려요|네, 제 이름은 에이다입니다|要，谢谢|是的，我叫艾达
thanks, yes please|Yes. Sure, connect me
"""
NOT_GIVEN = """
yes, but do you deliver to Norway?|yes but do you deliver to Norway|yes, how much is it|When do you open?|yes? why|no|no thanks
no, connect me later|Ja, aber liefert ihr nach Norwegen?|Ja, wann öffnet ihr|Sí, pero cuánto cuesta|Oui, mais quand livrez-vous
Sim, mas quanto custa|Sì, ma quanto costa|Ja, maar wanneer|Tak, ale ile to kosztuje|Да, но сколько стоит|Так, але скільки
Evet, ama kaç para|نعم، لكن كم السعر|हाँ, लेकिन कितना|Ya, tapi berapa harganya|はい、でもいくらですか|네, 그런데 얼마예요|要多少钱
yes, sure but how much is it|Ja, gern aber was kostet das|可以退货吗|Can I return shoes|I want my money back|hello|1
"""


def _listed(table: str) -> list[str]:
    return [one for line in table.strip("\n").split("\n") for one in line.split("|")]


@pytest.mark.parametrize("text", [*_listed(GIVEN), "yes\nI am Ada"])
def test_a_yes_takes_the_offer_whatever_is_told_beside_it(text: str) -> None:
    assert consent.is_given(text)


@pytest.mark.parametrize("text", _listed(NOT_GIVEN))
def test_a_no_a_question_or_an_objection_does_not(text: str) -> None:
    assert not consent.is_given(text)
