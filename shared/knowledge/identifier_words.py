"""Words that tell what a number or a code beside them is: an amount, an error's, an article's, nobody's."""

from __future__ import annotations

_UNITS = """
    k m mm cm dm km ft in yd mi g gr kg mg t oz lb lbs l ml cl dl hl h hr hrs min mins s sec secs ms d w wk wks y yr
    yrs mo am pm uhr v mv kv a ma mah ah wh kwh mw kw hp ps n nm hz khz mhz ghz b kb mb gb tb kbit mbit gbit mbps
    gbps px dpi pcs pc stk st x c f mbar bar psi pa kpa mpa db lm lx ohm rpm p fps th nd rd er e ème eme º os as ste
    sten te ter e. uro eur usd gbp chf pln rub uah try inr idr jpy krw cny aud cad sek nok dkk huf czk ron brl mxn
    dollar dollars euro euros pound pounds percent prozent people persons personen person day days tag tage tagen
    week weeks woche wochen month months monat monate year years jahr jahre jahren hour hours stunde stunden minute
    minutes minuten nights nacht nächte items pieces stück km/h kmh мм см км г кг л мл ч мин руб грн дней дня години
    pessoas personas personnes persone dias días jours giorni dagen dni günü gün hari orang horas heures ore uur
    godzin saat jam
"""
UNITS = frozenset(_UNITS.split())
"""Behind a number they make it an amount: 100ml, 24h, 50 EUR, 3rd."""
PERIODS = frozenset(("q", "fy", "h", "hy", "kw", "cw", "ws", "ss", "sose", "wise"))
"""Before a year or its part: Q3-2024."""
_SMALL = """
    a an as at am be by do go he hi i if in is it its me my no nr of off on or so the to too up us was we who why
    yet you your all and any are ask but buy can day did due end few for from get got had has have her him his how
    id just let may new not now old one only our out own pay per put say see she two use via vs way with yes jan feb
    mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ab aber auf aus bei bin bis da das dem den
    der des die du ein er es für hab habe hat ich ihr im ins ist ja man mein mir mit nach nur ob oder pro sie sich
    um und uns vom von vor war wer wie wir wo zu zum zur al con de del el en la las le lo los mi mis por que se sin
    su sus te tu un una y ya au aux ce ces dans elle est et eux il ils je les leur ma mes ne nos ou où par pas pour
    qui sa ses son sur ta tes ton une vos dos com em eu meu na nas os para pelo seu sim são uma ai che chi ci col
    dal dei gli ho nel non più sul tra uno van het een met ook op uit uw voor wat wel zijn dla jak nie od po pod
    przy są się za ze bu bir ile ve в во до за и из к ко на не о об от по с со то у что я та чи що як і з зі від при
    dari di ke ini itu dan yang
"""
SMALL = frozenset(_SMALL.split())
"""Short words of which no code is made."""
_ERRORS = """
    error err errors fehler fehlercode fehlermeldung störung erreur erro errore fout foutcode błąd blad kod ошибка
    ошибку ошибки код помилка помилку hata hatası kodu kesalahan galat eror alarm fault code
"""
ERRORS = frozenset(_ERRORS.split())
"""Before a number: "error 157" is E157."""
ERRORS_WIDE = (
    "エラー", "エラーコード", "오류", "에러", "错误", "錯誤", "故障", "代码", "خطأ", "رمز", "الخطأ", "त्रुटि",
    "एरर", "कोड",
)  # fmt: skip
"""The same in scripts that no code is written in."""
_ARTICLES = """
    sku part parts article artikel artikelnummer articolo articulo artículo artigo item model modell modelo modele
    modèle modello product produkt producto produit produto prodotto teil ersatzteil teilenummer referencia
    référence ref артикул артикула модель товар ürün parça kode produk towar numer nr no number nummer num numero
    número numéro номер № catalog katalognummer
"""
ARTICLES = frozenset(_ARTICLES.split())
"""Before a number: it is an article's."""
_CASES = """
    order orders bestellung bestellnummer bestellnr auftrag auftragsnummer pedido orden commande encomenda ordine
    bestelling zamówienie zamówienia заказ заказа заказу замовлення sipariş siparişim pesanan invoice rechnung
    rechnungsnummer factura facture fatura fattura factuur faktura счёт счет рахунок tracking sendung sendungsnummer
    paket paketnummer parcel package shipment booking buchung buchungsnummer reserva reservation réservation
    prenotazione reservering rezerwacja бронь rezervasyon ticket tickets vorgang vorgangsnummer case claim account
    konto kontonummer kundennummer customer kunde client cliente klant klient клиент hesap akun policy police
    contract vertrag vertragsnummer serial seriennummer series voucher gutschein gutscheincode coupon promo cupón
    iban id po rma awb
    phone tel telefon telefono teléfono téléphone mobile handy plz zip postcode passport booking-id customer-id
"""
CASES = frozenset(_CASES.split())
"""Before a code: it is the asker's own, and no document need have it."""
