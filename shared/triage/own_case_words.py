"""Words of questions about the asker's own order, parcel, account or money, by language.

own: what makes a thing the asker's. case: things that only the company's systems know. own_case: one word for both.
status: what is asked of them. act: what is to be done to them. how: what makes it a question of how things are done,
which documents answer. A word that ends in * stands for all that begin so; _ parts the words of a sequence.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "own": "my our mine",
        "case": (
            "order orders package packages parcel parcels delivery shipment refund refunds invoice booking "
            "reservation ticket tickets subscription account payment claim appointment application balance "
            "repair warranty_claim money purchase return policy contract membership transfer stuff items"
        ),
        "own_case": "",
        "status": (
            "where wheres where's when whens when's status track arrive arrived arriving ship shipped late "
            "delayed missing lost waiting received delivered still yet stuck processed refunded charged "
            "balance happening happened left hasn't hasnt haven't havent didn't didnt"
        ),
        "act": ("cancel change refund update delete close reschedule stop pause upgrade downgrade renew check look_up"),
        "how": (
            "how_do how_can how_to how_does how_should how_would can_i could_i may_i do_i_need do_i_have "
            "should_i can_we where_can where_do where_should what_happens what_if is_it_possible am_i_able "
            "where_could how_many how_much which i_want_to_know_how"
        ),
    },
    "de": {
        "own": "mein meine meinen meiner meinem meines unser unsere unseren unserer",
        "case": (
            "bestell* paket* päckchen sendung* lieferung* erstattung* rückerstattung* rechnung* buchung* "
            "reservierung* ticket* abo abonnement konto account zahlung* überweisung* termin antrag* "
            "guthaben kontostand reparatur* geld retoure rücksendung* vertrag* mitgliedschaft gutschrift "
            "auftrag*"
        ),
        "own_case": "",
        "status": (
            "wo wann status bleibt steckt angekommen kommt ankommen geliefert verschickt versendet versandt "
            "noch immer warte verspätet verloren verschwunden erhalten bekommen bearbeitet erstattet "
            "abgebucht stand kontostand"
        ),
        "act": (
            "storniere stornieren storniert kündige kündigen kündigt ändere ändern ändert lösche löschen "
            "schließe verschiebe verschieben prüfe prüfen erstatte erstatten"
        ),
        "how": (
            "wie_kann wie_lange wie_storniere wie_kündige wie_ändere wie_lösche wie_viel wie_viele wie_geht "
            "kann_ich können_wir darf_ich wo_kann wo_finde wo_sehe wo_steht was_passiert ist_es_möglich "
            "muss_ich welche soll_ich wie_man wie_bekomme"
        ),
    },
    "es": {
        "own": "mi mis nuestro nuestra",
        "case": (
            "pedido pedidos paquete paquetes envío envio entrega reembolso factura reserva suscripción "
            "suscripcion cuenta pago cita solicitud saldo reparación dinero compra devolución contrato"
        ),
        "own_case": "",
        "status": (
            "dónde donde cuándo cuando estado llegado llega llegó llegará enviado perdido retrasado "
            "esperando recibido entregado todavía aún sigue saldo seguimiento está"
        ),
        "act": (
            "cancela cancelar cancele cancelen cambia cambiar cambie elimina eliminar borra borrar cierra reembolsa"
        ),
        "how": (
            "cómo_puedo cómo_se cómo_cancelo cómo_hago como_puedo como_se cómo puedo podría_yo dónde_puedo "
            "donde_puedo qué_pasa es_posible cuánto cuántos debo se_puede"
        ),
    },
    "fr": {
        "own": "mon ma mes notre nos",
        "case": (
            "commande commandes colis paquet livraison remboursement facture réservation billet abonnement "
            "compte paiement rendez dossier solde réparation argent achat retour contrat"
        ),
        "own_case": "",
        "status": (
            "où ou_est quand statut suivi arrivé arrivée arrive arrivera expédié expédiée livré livrée perdu "
            "retard attends reçu toujours encore traité remboursé débité en_est solde"
        ),
        "act": (
            "annule annuler annulez annulé modifie modifier modifiez supprime supprimer supprimez résilie "
            "résilier rembourse remboursez clôturez changez"
        ),
        "how": (
            "comment puis_je peut_on peut-on où_puis puis-je est-ce_que_je_peux est_ce_que_je_peux "
            "que_se_passe combien dois_je dois-je est-il_possible est_il_possible quel quelle quels"
        ),
    },
    "pt": {
        "own": "meu minha meus minhas nosso nossa",
        "case": (
            "pedido pedidos encomenda encomendas pacote entrega envio reembolso fatura reserva assinatura "
            "subscrição conta pagamento consulta saldo reparo dinheiro compra devolução contrato"
        ),
        "own_case": "",
        "status": (
            "onde cadê quando status estado chegou chega chegará enviado enviada perdido atrasado atrasada "
            "esperando recebi recebido entregue ainda saldo rastreio está"
        ),
        "act": "cancele cancela cancelar altere altera alterar mude exclua apague feche reembolse",
        "how": (
            "como_posso como_faço como_se como_cancelo como_fazer posso podemos onde_posso o_que_acontece "
            "é_possível quanto devo dá_para"
        ),
    },
    "it": {
        "own": "mio mia miei mie nostro nostra",
        "case": (
            "ordine ordini pacco pacchi spedizione consegna rimborso fattura prenotazione biglietto "
            "abbonamento conto account pagamento appuntamento richiesta saldo riparazione soldi acquisto "
            "reso contratto"
        ),
        "own_case": "",
        "status": (
            "dove dov'è dov quando stato arrivato arrivata arriva arriverà spedito spedita perso ritardo "
            "aspetto ricevuto consegnato ancora saldo"
        ),
        "act": (
            "annulla annullare annullate annulli disdici disdire modifica modificare cambia cancella "
            "cancellare chiudi rimborsate"
        ),
        "how": (
            "come_posso come_si come_faccio come_annullo posso possiamo dove_posso cosa_succede è_possibile "
            "quanto devo si_può quale"
        ),
    },
    "nl": {
        "own": "mijn m'n onze",
        "case": (
            "bestelling bestellingen pakket pakje zending levering terugbetaling factuur boeking reservering "
            "ticket abonnement account rekening betaling afspraak aanvraag saldo reparatie geld aankoop "
            "retour contract"
        ),
        "own_case": "",
        "status": (
            "waar wanneer status blijft aangekomen komt verzonden verstuurd geleverd bezorgd vertraagd kwijt "
            "wacht ontvangen nog steeds verwerkt saldo"
        ),
        "act": "annuleer annuleren wijzig wijzigen verwijder verwijderen zeg_op stop sluit verander",
        "how": (
            "hoe_kan hoe_annuleer hoe_wijzig hoe_lang hoe_moet hoe_veel hoeveel kan_ik kunnen_we mag_ik "
            "waar_kan waar_vind wat_gebeurt is_het_mogelijk moet_ik welke"
        ),
    },
    "pl": {
        "own": "mój moja moje mojego mojej moją moim nasze nasza",
        "case": (
            "zamówieni* paczk* przesyłk* dostaw* zwrot* faktur* rezerwacj* bilet* subskrypcj* konto konta "
            "płatnoś* wizyt* wniosek saldo napraw* pieniądze zakup* umow*"
        ),
        "own_case": "",
        "status": (
            "gdzie kiedy status dotarła dotarło przyjdzie przyszła przyszło wysłane wysłana wysłano "
            "spóźniona zaginęła czekam dostarczona dostarczone jeszcze nadal saldo"
        ),
        "act": "anuluj anulować anulujcie zmień zmienić usuń usunąć zamknij zwróćcie",
        "how": (
            "jak_mogę jak_można jak_anulować jak_zmienić jak_długo czy_mogę czy_można gdzie_mogę "
            "gdzie_znajdę co_się_stanie ile muszę który jak_usunąć"
        ),
    },
    "ru": {
        "own": "мой моя моё мое мои моего моей мою моим наш наша",
        "case": (
            "заказ* посылк* доставк* отправлени* возврат* счёт счет брон* билет* подписк* аккаунт* оплат* "
            "платеж* платёж* запис* заявк* баланс* ремонт* деньги деньг* покупк* договор*"
        ),
        "own_case": "",
        "status": (
            "где когда статус пришёл пришел пришла придёт придет приедет отправлен отправили доставлен "
            "доставят задерживается потерялся потерялась жду получил получила ещё еще до_сих_пор баланс "
            "застрял"
        ),
        "act": "отмените отменить отмени измените изменить удалите удалить закройте перенесите верните",
        "how": (
            "как_мне как_можно как_отменить как_изменить как_удалить как_вернуть как_долго можно_ли могу_ли "
            "могу где_можно где_посмотреть что_будет сколько нужно_ли какой как_оформить"
        ),
    },
    "uk": {
        "own": "мій моя моє мої мого моєї мою наш наша",
        "case": (
            "замовлення посилк* доставк* відправлення повернення рахунок бронюванн* квит* підписк* акаунт* "
            "оплат* платіж* запис* заявк* баланс* ремонт* гроші покупк* договор*"
        ),
        "own_case": "",
        "status": (
            "де коли статус прийшло прийшла прийде приїде відправлено відправили доставлено доставлять "
            "затримується загубилось загубилася чекаю отримав отримала ще досі баланс"
        ),
        "act": "скасуйте скасувати скасуй змініть змінити видаліть видалити закрийте поверніть",
        "how": (
            "як_мені як_можна як_скасувати як_змінити як_видалити як_довго чи_можна чи_можу можу де_можна "
            "що_буде скільки який"
        ),
    },
    "tr": {
        "own": "benim bizim",
        "case": (
            "sipariş* kargo paket teslimat iade fatura rezervasyon bilet abonelik hesap ödeme randevu bakiye para"
        ),
        "own_case": (
            "siparişim siparişimi siparişimin kargom kargomu kargomun paketim paketimi paketimin iadem "
            "iadesi_param param paramı faturam rezervasyonum rezervasyonumu aboneliğim aboneliğimi hesabım "
            "hesabımı ödemem randevum randevumu bakiyem teslimatım"
        ),
        "status": (
            "nerede nerde ne_zaman durumu durum gelmedi gelecek geldi ulaşmadı ulaşacak gönderildi kayboldu "
            "gecikti bekliyorum hala hâlâ"
        ),
        "act": "iptal_et iptal_edin iptal_eder değiştir değiştirin sil silin kapat kapatın iade_edin",
        "how": "nasıl nereden nerden edebilir_miyim yapabilir_miyim mümkün_mü ne_olur kaç hangi",
    },
    "ar": {
        "own": "الخاص الخاصة لي",
        "case": (
            "الطلب الطلبية الشحنة الطرد التوصيل الاسترداد الفاتورة الحجز التذكرة الاشتراك الحساب الدفعة الموعد الرصيد"
        ),
        "own_case": "طلبي طلبيتي شحنتي طردي فاتورتي حجزي تذكرتي اشتراكي حسابي دفعتي موعدي رصيدي أموالي فلوسي نقودي",
        "status": "أين اين وين متى حالة يصل وصل تصل وصلت سيصل ستصل تأخر تأخرت أنتظر انتظر بعد استلمت أستلم فين",
        "act": "ألغ الغ ألغوا إلغاء_طلبي الغاء_طلبي ألغي غير غيروا احذف احذفوا أغلق",
        "how": "كيف هل_يمكنني هل_يمكن هل_أستطيع أين_يمكنني ماذا_يحدث كم",
    },
    "hi": {
        "own": "मेरा मेरी मेरे हमारा हमारी mera meri mere",
        "case": (
            "ऑर्डर आर्डर पार्सल पैकेज डिलीवरी रिफंड बिल बुकिंग टिकट सब्सक्रिप्शन खाता अकाउंट भुगतान पेमेंट "
            "अपॉइंटमेंट बैलेंस पैसा पैसे order parcel package refund delivery paisa paise payment"
        ),
        "own_case": "",
        "status": (
            "कहाँ कहां कब स्थिति स्टेटस आया आएगा आएगी पहुँचा पहुंचा पहुँचेगा मिला मिलेगा अभी_तक इंतज़ार "
            "इंतजार kahan kaha kab status aaya aayega mila milega"
        ),
        "act": "रद्द_करो रद्द_करें रद्द_कर कैंसल_करो कैंसल_करें बदलो बदलें हटाओ बंद_करो cancel_karo cancel_kar",
        "how": "कैसे क्या_मैं कितना कितने कौन kaise kya_main",
    },
    "id": {
        "own": "saya aku kami gue",
        "case": (
            "pesanan order paket kiriman pengiriman refund pengembalian tagihan pemesanan reservasi tiket "
            "langganan akun pembayaran saldo uang pembelian"
        ),
        "own_case": "pesananku paketku kirimanku refundku tiketku akunku uangku",
        "status": "mana dimana kapan status sampai tiba dikirim datang terlambat hilang menunggu diterima belum",
        "act": "batalkan ubah hapus tutup kembalikan",
        "how": "bagaimana gimana bisakah apakah_saya_bisa bisa_saya apakah_bisa di_mana_saya_bisa berapa cara",
    },
    "ja": {
        "own": "私の わたしの 自分の 僕の",
        "case": "注文 荷物 商品 配送 返金 請求書 予約 チケット 定期購入 サブスク アカウント 支払い 残高 小包",
        "own_case": "注文した商品 頼んだ商品 注文した荷物",
        "status": "どこ いつ届 いつ来 いつ着 まだ届 届いていません 届かない 届きません 状況 まだ来 状態",
        "act": "キャンセルして 解約して 変更して 削除して 返金して",
        "how": "どうやって 方法 どこで できますか 可能ですか どのように どこから",
    },
    "ko": {
        "own": "제 내 저의 나의 우리",
        "case": "주문 택배 소포 배송 환불 송장 예약 티켓 구독 계정 결제 잔액 상품",
        "own_case": "주문한 시킨",
        "status": "어디 언제 안_왔 안왔 아직 도착 상태 조회해 못_받",
        "act": "취소해 변경해 삭제해 해지해 환불해",
        "how": "어떻게 방법 할_수_있 할수있 가능한가요 가능해요 어디서",
    },
    "zh": {
        "own": "我的 我们的 我買 我买",
        "case": (
            "订单 訂單 包裹 快递 快遞 物流 退款 发票 發票 预订 預訂 票 订阅 訂閱 账户 帳戶 账号 付款 余额 餘額 货 貨"
        ),
        "own_case": "我的快递 我的包裹 我的订单 我的訂單",
        "status": (
            "在哪 哪里 哪裡 哪儿 什么时候 什麼時候 何时 状态 狀態 还没 還沒 没到 沒到 没收到 沒收到 到哪 多久到"
        ),
        "act": "取消我的 帮我取消 幫我取消 请取消 退掉 删除我的",
        "how": "怎么 怎麼 如何 可以吗 可以嗎 能不能 是否可以 在哪里可以 在哪里查 哪里可以 哪里查 怎样",
    },
}

_CONNECTORS = """
    no nr number num nummer id ref reference is my mit der die das von número numero numéro n nº n° № номер
    номером numer numeru numaralı numarası no'lu le la el o il with code code: رقم नंबर नंबर: nomor 番号 번호 号 號
    for für de den
"""
CONNECTORS = frozenset(_CONNECTORS.split())
"""Between a thing and its number."""
