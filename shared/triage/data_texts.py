"""What customers are told where their question is about data that there is not: a code, or their own case."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "not_listed": "We do not list {codes}.",
        "own_case": "I cannot see your orders, bookings or account from here.",
    },
    "de": {
        "not_listed": "{codes} führen wir nicht.",
        "own_case": "Ihre Bestellungen, Buchungen und Ihr Konto kann ich von hier aus nicht einsehen.",
    },
    "es": {
        "not_listed": "No tenemos {codes} en nuestra lista.",
        "own_case": "Desde aquí no puedo ver sus pedidos, reservas ni su cuenta.",
    },
    "fr": {
        "not_listed": "Nous n'avons pas {codes} dans notre liste.",
        "own_case": "D'ici, je ne peux pas voir vos commandes, vos réservations ni votre compte.",
    },
    "pt": {
        "not_listed": "Não temos {codes} na nossa lista.",
        "own_case": "Daqui não consigo ver as suas encomendas, as suas reservas nem a sua conta.",
    },
    "it": {
        "not_listed": "Non abbiamo {codes} nel nostro elenco.",
        "own_case": "Da qui non posso vedere i suoi ordini, le sue prenotazioni o il suo conto.",
    },
    "nl": {
        "not_listed": "{codes} staat niet in ons aanbod.",
        "own_case": "Uw bestellingen, boekingen en account kan ik hier niet inzien.",
    },
    "pl": {
        "not_listed": "Nie mamy {codes} na naszej liście.",
        "own_case": "Nie mam stąd wglądu w Państwa zamówienia, rezerwacje ani konto.",
    },
    "ru": {
        "not_listed": "{codes} у нас в списке нет.",
        "own_case": "Я не вижу отсюда ваши заказы, бронирования и аккаунт.",
    },
    "uk": {
        "not_listed": "{codes} у нас у списку немає.",
        "own_case": "Звідси я не бачу ваших замовлень, бронювань та акаунта.",
    },
    "tr": {
        "not_listed": "{codes} listemizde yok.",
        "own_case": "Siparişlerinizi, rezervasyonlarınızı ve hesabınızı buradan göremiyorum.",
    },
    "ar": {
        "not_listed": "لا نجد {codes} في قائمتنا.",
        "own_case": "لا أستطيع الاطلاع من هنا على طلباتك أو حجوزاتك أو حسابك.",
    },
    "hi": {
        "not_listed": "{codes} हमारी सूची में नहीं है।",
        "own_case": "मैं यहाँ से आपके ऑर्डर, बुकिंग या खाता नहीं देख सकता।",
    },
    "id": {
        "not_listed": "{codes} tidak ada dalam daftar kami.",
        "own_case": "Dari sini saya tidak dapat melihat pesanan, pemesanan, atau akun Anda.",
    },
    "ja": {
        "not_listed": "{codes}は当社の一覧にありません。",
        "own_case": "こちらからはお客様のご注文、ご予約、アカウントを確認できません。",
    },
    "ko": {
        "not_listed": "{codes}은(는) 저희 목록에 없습니다.",
        "own_case": "여기서는 고객님의 주문, 예약, 계정을 확인할 수 없습니다.",
    },
    "zh": {
        "not_listed": "我们的目录中没有{codes}。",
        "own_case": "我在这里无法查看您的订单、预订或账户。",
    },
}
