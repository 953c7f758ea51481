"""Words that tell what a number or a code beside them is: a unit, an error, an article, nothing at all."""

from __future__ import annotations

_UNITS = """
    k m mm cm dm km ft in yd mi g gr kg mg t oz lb lbs l ml cl dl hl h hr hrs min mins s sec secs ms d w wk wks y yr yrs
    mo am pm uhr v mv kv a ma mah ah wh kwh mw kw hp ps n nm hz khz mhz ghz b kb mb gb tb kbit mbit gbit mbps gbps px dpi
    pcs pc stk st x c f mbar bar psi pa kpa mpa db lm lx ohm rpm p fps th nd rd er e ème eme º os as ste sten te ter e.
    e uro eur usd gbp chf pln rub uah try inr idr jpy krw cny aud cad sek nok dkk huf czk ron brl mxn dollar dollars euro
    euros pound pounds percent prozent people persons personen person day days tag tage tagen week weeks woche wochen
    month months monat monate year years jahr jahre jahren hour hours stunde stunden minute minutes minuten nights nacht
    nächte items pieces stück km/h kmh мм см км г кг л мл ч мин руб грн дней дня години pessoas personas personnes persone
    dias días jours giorni dagen dni günü gün hari orang horas heures ore uur godzin saat jam
"""
UNITS = frozenset(_UNITS.split())
"""Behind a number they make it an amount: 100ml, 24h, 50 EUR, 3rd."""
PERIODS = frozenset(("q", "fy", "h", "hy", "kw", "cw", "ws", "ss", "sose", "wise"))
"""Before a year or its part: Q3-2024."""
_SMALL = """
    a an as at am be by do go he hi i if in is it its me my no nr of off on or so the to too up us was we who why yet you
    your all and any are ask but buy can day did due end few for from get got had has have her him his how id just let may
    new not now old one only our out own pay per put say see she two use via vs way with yes jan feb mar apr jun jul aug
    sep sept oct nov dec mon tue wed thu fri sat sun ab aber an auf aus bei bin bis da das dem den der des die du ein er es
    für hab habe hat ich ihr im ins ist ja man mein mir mit nach nur ob oder per pro sie sich so um und uns vom von vor
    war was wer wie wir wo zu zum zur al con de del el en es la las le lo los me mi mis por que se sin su sus te tu un una
    y ya au aux ce ces dans des du elle est et eux il ils je les leur ma mes mon ne nos on ou où par pas pour qui sa ses
    son sur ta tes ton une vos da do das dos com em eu meu na nas no nos os ou para pelo seu sim são um uma ai che chi ci
    col dal dei gli ho nel non per più se sul tra uno van het een met ook of op te uit uw voor wat wel zijn dla do jak na
    nie od po pod przy są się to we za ze bu bir de da ile mi ne ve ya в во до за и из к ко на не о об от по с со то у что
    я та чи що як і з зі від при para dari di ke ini itu dan yang
"""
SMALL = frozenset(_SMALL.split())
"""Short words of which no code is made."""
ERRORS = frozenset(
    "error err errors fehler fehlercode fehlermeldung störung erreur erro errore fout foutcode błąd blad kod"
    " ошибка ошибку ошибки код помилка помилку hata hatası kodu kesalahan galat eror alarm fault code".split()
)
"""Before a number: "error 157" is E157."""
ERRORS_WIDE = ("エラー", "エラーコード", "오류", "에러", "错误", "錯誤", "故障", "代码", "خطأ", "رمز", "الخطأ", "त्रुटि", "एरर", "कोड")
ARTICLES = frozenset(
    "sku part parts article artikel artikelnummer articolo articulo artículo artigo item model modell modelo modele modèle"
    " modello product produkt producto produit produto prodotto teil ersatzteil teilenummer referencia référence ref"
    " артикул артикула модель товар ürün parça kode produk towar numer nr no number nummer num numero número numéro"
    " номер № catalog katalognummer".split()
)
"""Before a number: it is an article's."""
CASES = frozenset(
    "order orders bestellung bestellnummer bestellnr auftrag auftragsnummer pedido orden commande encomenda ordine"
    " bestelling zamówienie zamówienia заказ заказа заказу замовлення sipariş siparişim pesanan invoice rechnung"
    " rechnungsnummer factura facture fatura fattura factuur faktura счёт счет рахунок tracking sendung sendungsnummer"
    " paket paketnummer parcel package shipment booking buchung buchungsnummer reserva reservation réservation"
    " prenotazione reservering rezerwacja бронь rezervasyon ticket tickets vorgang vorgangsnummer case claim account"
    " konto kontonummer kundennummer customer kunde client cliente klant klient клиент hesap akun policy police"
    " contract vertrag vertragsnummer serial seriennummer series voucher gutschein gutscheincode coupon promo cupón"
    " iban phone tel telefon telefono teléfono téléphone mobile handy plz zip postcode passport booking-id customer-id".split()
)
"""Before a code: it is the asker's own, and no document need have it."""
