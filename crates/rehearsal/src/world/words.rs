//! Names and sentences in many scripts. Everything is invented.

/// One language with what is needed to fill a helpdesk in it.
#[derive(Debug)]
pub(crate) struct Language {
    pub(crate) first_names: &'static [&'static str],
    pub(crate) last_names: &'static [&'static str],
    pub(crate) subjects: &'static [&'static str],
    pub(crate) sentences: &'static [&'static str],
}

/// All languages; the index is part of a world, so new ones are added at the end.
pub(crate) const LANGUAGES: [Language; 9] = [
    // English
    Language {
        first_names: &[
            "Ada", "Bo", "Carol", "Dan", "Erin", "Frank", "Grace", "Hugh",
        ],
        last_names: &[
            "Berg",
            "Lind",
            "Marlow",
            "Okafor",
            "O'Hara",
            "Smythe-Jones",
            "Tran",
            "Whitfield",
        ],
        subjects: &[
            "Grinder is noisy",
            "Where is my order?",
            "Invoice & delivery note differ",
            "Lamp <3 flickers",
            "Re: \"quoted\" question",
        ],
        sentences: &[
            "The machine stops after two minutes.",
            "It started on Monday, right after the update.",
            "We paid 12.50 & never got a receipt.",
            "Is 5 < 6 and 7 > 6 in your table?",
            "She said \"it won't start\" and hung up.",
            "Please call me back before noon.",
            "The serial number is on the bottom plate.",
            "Thank you for the quick answer!",
        ],
    },
    // German, Nordic and other Latin letters
    Language {
        first_names: &[
            "Jörg", "Käthe", "Åse", "Zoë", "Łukasz", "Çağla", "Ngọc", "José",
        ],
        last_names: &[
            "Müller-Lüdenscheidt",
            "Øvergård",
            "Żółkiewski",
            "Nguyễn",
            "Peña",
            "Straße",
            "Ōta",
            "Đặng",
        ],
        subjects: &[
            "Die Mühle läuft nicht",
            "Größe stimmt nicht",
            "Où est ma commande ?",
            "Zażółć gęślą jaźń",
        ],
        sentences: &[
            "Die Maschine läuft seit gestern nicht mehr.",
            "Größe und Farbe stimmen nicht überein.",
            "Où puis-je trouver le numéro de série ?",
            "¿Cuándo llegará el técnico?",
            "Zamówienie dotarło uszkodzone.",
            "Ürün çalışmıyor, lütfen yardım edin.",
            "Máy không khởi động được.",
        ],
    },
    // Cyrillic
    Language {
        first_names: &["Анна", "Борис", "Віра", "Григорій", "Дарья", "Стоян"],
        last_names: &["Иванова", "Ковальчук", "Петров", "Ђорђевић", "Шевченко"],
        subjects: &[
            "Мельница не работает",
            "Де моє замовлення?",
            "Повторен въпрос",
        ],
        sentences: &[
            "Прибор не включается после обновления.",
            "Будь ласка, зателефонуйте мені завтра.",
            "Счёт № 17 оплачен дважды.",
            "Хвала на брзом одговору.",
        ],
    },
    // Arabic, right to left, with marks
    Language {
        first_names: &["ليلى", "عمر", "فاطمة", "يوسف"],
        last_names: &["حداد", "الخطيب", "منصور", "زيدان"],
        subjects: &["الجهاز لا يعمل", "أين طلبي؟"],
        sentences: &[
            "الجهاز لا يعمل منذ يومين.",
            "أرجو الاتصال بي على الرقم \u{200E}+966 11 555 0100\u{200E}.",
            "\u{202B}رقم الطلب ABC-17 غير صحيح\u{202C}",
            "شُكْرًا جَزِيلًا",
        ],
    },
    // Hebrew, right to left, with marks
    Language {
        first_names: &["דנה", "יואב", "מיכל", "נועם"],
        last_names: &["לוי", "כהן", "ברק", "שלום"],
        subjects: &["המכשיר רועש", "איפה ההזמנה שלי?"],
        sentences: &[
            "המכשיר רועש מאוד.",
            "מספר ההזמנה הוא \u{200F}AB-12\u{200F} ולא אחר.",
            "תּוֹדָה רַבָּה",
        ],
    },
    // Thai, no blanks between words
    Language {
        first_names: &["สมชาย", "อรทัย", "นภา", "กิตติ"],
        last_names: &["ใจดี", "ศรีสุข", "ทองคำ", "วงศ์สวัสดิ์"],
        subjects: &["เครื่องไม่ทำงาน", "สินค้ายังไม่มาถึง"],
        sentences: &[
            "เครื่องหยุดทำงานตั้งแต่เมื่อวานนี้",
            "กรุณาติดต่อกลับด้วยค่ะ",
            "น้ำรั่วที่ฐานเครื่อง",
        ],
    },
    // Chinese, Japanese, Korean
    Language {
        first_names: &["小明", "花子", "민준", "麗華"],
        last_names: &["王", "山田", "김", "陳"],
        subjects: &[
            "机器无法启动",
            "注文が届きません",
            "제품이 작동하지 않습니다",
        ],
        sentences: &[
            "机器从昨天开始无法启动。",
            "注文番号は１２３です。",
            "영수증을 보내 주세요.",
            "𠮷野家の𩸽について。",
        ],
    },
    // Emoji with joiners, flags, skin tones, keycaps
    Language {
        first_names: &["Mia 🌻", "🦊 Finn", "Zed"],
        last_names: &["👩‍👩‍👧‍👦", "Rose🌹", "🏳️‍🌈"],
        subjects: &["Broken 💔 again 😡", "👍🏽👍🏽👍🏽"],
        sentences: &[
            "My family 👨‍👩‍👧‍👦 waits for it 🙏🏿.",
            "Flag 🏴󠁧󠁢󠁳󠁣󠁴󠁿 and keycap 1️⃣ and heart ❤️‍🔥.",
            "Is it the 👩🏻‍🔧 or the 🧑‍💻 who calls?",
        ],
    },
    // Indic scripts and combining marks
    Language {
        first_names: &["आरव", "ಮೀರಾ", "Ze\u{0301}lie"],
        last_names: &["शर्मा", "ರಾವ್", "Nguye\u{0302}\u{0303}n"],
        subjects: &["मशीन बंद है", "Cafe\u{0301} machine"],
        sentences: &[
            "मशीन कल से बंद है।",
            "ಯಂತ್ರ ಕೆಲಸ ಮಾಡುತ್ತಿಲ್ಲ.",
            "The cafe\u{0301} is close\u{0301}.",
        ],
    },
];

/// Names of teams.
pub(crate) const TEAMS: [&str; 4] = ["Customer care", "Second line", "Rücksendungen", "修理"];

/// Parts of company names.
pub(crate) const COMPANIES: [&str; 10] = [
    "Acme",
    "Borealis",
    "Čapek & Sons",
    "Дон",
    "Nordlys",
    "東方",
    "Umbrella \"U\"",
    "Vega",
    "Wolke 7",
    "Zwölf",
];

/// Legal forms.
pub(crate) const FORMS: [&str; 5] = ["GmbH", "Ltd.", "S.A.", "株式会社", "AB"];

/// Tags; some hold what separates tags elsewhere.
pub(crate) const TAGS: [&str; 9] = [
    "grinder",
    "vip",
    "needs call",
    "a|b",
    "x;y",
    "Größe",
    "срочно",
    "返品",
    "🔥 hot",
];
