//! Words of several languages that mean the same in a helpdesk.

/// A line per meaning: English, German, French, Spanish, Italian, Dutch, Portuguese, Polish. Folded as [`fold`] does it.
const FIELDS: &[&[&str]] = &[
    &[
        "subject",
        "betreff",
        "objet",
        "sujet",
        "asunto",
        "oggetto",
        "onderwerp",
        "assunto",
        "temat",
    ],
    &[
        "description",
        "beschreibung",
        "descripcion",
        "descrizione",
        "omschrijving",
        "beschrijving",
        "descricao",
        "opis",
    ],
    &[
        "priority",
        "prioritat",
        "prioritaet",
        "dringlichkeit",
        "urgency",
        "priorite",
        "prioridad",
        "priorita",
        "prioriteit",
        "prioridade",
        "priorytet",
    ],
    &[
        "reason", "grund", "ursache", "cause", "raison", "motif", "motivo", "reden", "razon",
        "causa", "powod",
    ],
    &[
        "category",
        "kategorie",
        "categorie",
        "categoria",
        "kategoria",
    ],
    &["type", "typ", "art", "tipo", "soort"],
    &[
        "product", "produkt", "artikel", "produit", "producto", "prodotto", "produto",
    ],
    &[
        "serialnumber",
        "serialno",
        "serial",
        "seriennummer",
        "seriennr",
        "numerodeserie",
        "numerodeserie",
        "numerodiserie",
        "serienummer",
        "numerseryjny",
    ],
    &[
        "ordernumber",
        "orderno",
        "orderid",
        "bestellnummer",
        "auftragsnummer",
        "bestellnr",
        "numerodecommande",
        "numerodepedido",
        "numeroordine",
        "bestelnummer",
        "ordernummer",
    ],
    &[
        "customernumber",
        "customerno",
        "customerid",
        "kundennummer",
        "kundennr",
        "numeroclient",
        "numerodecliente",
        "numerocliente",
        "klantnummer",
    ],
    &[
        "accountnumber",
        "kontonummer",
        "numerodecompte",
        "numerodecuenta",
        "numeroconto",
        "rekeningnummer",
    ],
    &[
        "invoicenumber",
        "invoice",
        "rechnung",
        "rechnungsnummer",
        "facture",
        "numerodefacture",
        "factura",
        "fattura",
        "factuur",
        "factuurnummer",
        "fatura",
    ],
    &[
        "contract",
        "contractnumber",
        "vertrag",
        "vertragsnummer",
        "contrat",
        "contrato",
        "contratto",
        "umowa",
    ],
    &[
        "phone",
        "telephone",
        "phonenumber",
        "telefon",
        "telefonnummer",
        "telefono",
        "telefoon",
        "telefone",
    ],
    &[
        "mobile",
        "mobilephone",
        "cell",
        "handy",
        "mobil",
        "mobiltelefon",
        "portable",
        "movil",
        "cellulare",
        "mobiel",
        "celular",
    ],
    &["fax", "telefax", "faxnummer", "telecopie"],
    &[
        "email",
        "emailaddress",
        "mail",
        "epost",
        "courriel",
        "correo",
        "correoelectronico",
    ],
    &[
        "website", "web", "homepage", "webseite", "siteweb", "sitioweb", "sitoweb",
    ],
    &[
        "street", "strasse", "rue", "calle", "via", "straat", "rua", "ulica",
    ],
    &[
        "city", "town", "stadt", "ort", "ville", "ciudad", "citta", "stad", "plaats", "cidade",
        "miasto",
    ],
    &[
        "postalcode",
        "zip",
        "zipcode",
        "postcode",
        "plz",
        "postleitzahl",
        "codepostal",
        "codigopostal",
        "cap",
    ],
    &["country", "land", "pays", "pais", "paese", "kraj"],
    &[
        "state",
        "region",
        "province",
        "bundesland",
        "provincia",
        "provincie",
        "estado",
        "regione",
    ],
    &[
        "birthdate",
        "birthday",
        "dateofbirth",
        "geburtstag",
        "geburtsdatum",
        "datedenaissance",
        "fechadenacimiento",
        "datadinascita",
        "geboortedatum",
    ],
    &[
        "language", "sprache", "langue", "idioma", "lingua", "taal", "jezyk",
    ],
    &[
        "company",
        "organisation",
        "organization",
        "firma",
        "unternehmen",
        "entreprise",
        "societe",
        "empresa",
        "azienda",
        "bedrijf",
    ],
    &[
        "department",
        "abteilung",
        "service",
        "departement",
        "departamento",
        "reparto",
        "afdeling",
    ],
    &[
        "title", "jobtitle", "position", "role", "funktion", "fonction", "poste", "cargo",
        "functie",
    ],
    &["salutation", "anrede", "civilite", "tratamiento", "aanhef"],
    &[
        "firstname",
        "vorname",
        "prenom",
        "nombre",
        "voornaam",
        "imie",
    ],
    &[
        "lastname",
        "surname",
        "nachname",
        "nomdefamille",
        "apellido",
        "cognome",
        "achternaam",
        "nazwisko",
    ],
    &["industry", "branche", "sector", "secteur", "settore"],
    &[
        "revenue",
        "annualrevenue",
        "umsatz",
        "jahresumsatz",
        "chiffredaffaires",
        "ingresos",
        "fatturato",
        "omzet",
    ],
    &[
        "employees",
        "numberofemployees",
        "headcount",
        "mitarbeiter",
        "mitarbeiterzahl",
        "effectif",
        "empleados",
        "dipendenti",
        "werknemers",
    ],
    &[
        "warranty",
        "underwarranty",
        "guarantee",
        "garantie",
        "gewahrleistung",
        "garantia",
        "garanzia",
    ],
    &[
        "purchasedate",
        "kaufdatum",
        "dateachat",
        "datedachat",
        "fechadecompra",
        "datadiacquisto",
        "aankoopdatum",
    ],
    &[
        "duedate",
        "deadline",
        "falligkeit",
        "falligam",
        "echeance",
        "vencimiento",
        "scadenza",
        "vervaldatum",
    ],
    &[
        "severity",
        "schweregrad",
        "severite",
        "gravite",
        "gravedad",
        "gravita",
        "ernst",
    ],
    &["version", "fassung", "versione", "versie", "versao"],
    &[
        "amount", "betrag", "montant", "importe", "importo", "bedrag", "valor", "kwota",
    ],
    &[
        "rating",
        "bewertung",
        "note",
        "evaluation",
        "valoracion",
        "valutazione",
        "beoordeling",
    ],
    &[
        "notes",
        "comment",
        "comments",
        "bemerkung",
        "anmerkung",
        "kommentar",
        "commentaire",
        "remarque",
        "comentario",
        "commento",
        "opmerking",
    ],
    &[
        "manager",
        "vorgesetzter",
        "leiter",
        "responsable",
        "responsabile",
    ],
    &[
        "location",
        "standort",
        "site",
        "lieu",
        "ubicacion",
        "sede",
        "locatie",
    ],
];

const VALUES: &[&[&str]] = &[
    &[
        "new", "neu", "nouveau", "nuevo", "nuovo", "nieuw", "novo", "nowy",
    ],
    &[
        "working",
        "open",
        "inprogress",
        "active",
        "offen",
        "inbearbeitung",
        "aktiv",
        "ouvert",
        "encours",
        "abierto",
        "enprogreso",
        "enproceso",
        "aperto",
        "incorso",
        "lavorazione",
        "inlavorazione",
        "inbehandeling",
        "bezig",
        "aberto",
        "emandamento",
        "otwarte",
        "wtoku",
    ],
    &[
        "onhold",
        "pending",
        "waiting",
        "waitingoncustomer",
        "wartend",
        "wartet",
        "inwartestellung",
        "ausstehend",
        "enattente",
        "enespera",
        "pendiente",
        "inattesa",
        "inafwachting",
        "wacht",
        "emespera",
        "oczekujace",
    ],
    &[
        "closed",
        "resolved",
        "solved",
        "done",
        "geschlossen",
        "gelost",
        "erledigt",
        "abgeschlossen",
        "ferme",
        "resolu",
        "clos",
        "cerrado",
        "resuelto",
        "chiuso",
        "risolto",
        "gesloten",
        "opgelost",
        "fechado",
        "resolvido",
        "zamkniete",
    ],
    &[
        "escalated",
        "eskaliert",
        "escalade",
        "escalado",
        "escalato",
        "geescaleerd",
    ],
    &[
        "low", "niedrig", "gering", "basse", "faible", "baja", "bajo", "bassa", "laag", "baixa",
        "niski",
    ],
    &[
        "medium",
        "normal",
        "mittel",
        "moyenne",
        "moyen",
        "media",
        "medio",
        "normale",
        "normaal",
        "gemiddeld",
        "sredni",
    ],
    &[
        "high", "hoch", "haute", "eleve", "elevee", "alta", "alto", "hoog", "wysoki",
    ],
    &[
        "urgent", "critical", "dringend", "kritisch", "sehrhoch", "urgente", "critique", "critico",
        "critica", "kritiek", "pilny",
    ],
    &[
        "email",
        "mail",
        "epost",
        "courriel",
        "correoelectronico",
        "correo",
    ],
    &[
        "phone",
        "voice",
        "telephone",
        "telefon",
        "telefono",
        "telefoon",
        "telefone",
        "anruf",
    ],
    &[
        "web",
        "website",
        "webform",
        "portal",
        "webformular",
        "formulaireweb",
    ],
    &["chat", "livechat", "messenger", "messaging"],
    &["yes", "ja", "oui", "si", "sim", "tak", "true"],
    &["no", "nein", "non", "nee", "nao", "nie", "false"],
];

/// Lower case, Latin letters without their marks, nothing but letters and digits. What is no Latin letter stays.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'ä' | 'á' | 'à' | 'â' | 'ã' | 'å' | 'ą' => out.push('a'),
            'é' | 'è' | 'ê' | 'ë' | 'ę' => out.push('e'),
            'í' | 'ì' | 'î' | 'ï' => out.push('i'),
            'ö' | 'ó' | 'ò' | 'ô' | 'õ' | 'ø' => out.push('o'),
            'ü' | 'ú' | 'ù' | 'û' => out.push('u'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'ñ' | 'ń' => out.push('n'),
            'ł' => out.push('l'),
            'ś' | 'š' => out.push('s'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            'ß' => out.push_str("ss"),
            c if c.is_alphanumeric() => out.push(c),
            _ => {}
        }
    }
    out
}

/// The words of a name, folded: at blanks, marks and where a capital follows a small letter.
pub(super) fn parts(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in text.chars() {
        let breaks = !c.is_alphanumeric() || (small && c.is_uppercase());
        if breaks && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
        small = c.is_lowercase();
    }
    let folded = words.iter().map(|word| fold(word));
    folded.filter(|word| !word.is_empty()).collect()
}

/// The meaning of a folded name, as a number of its table.
pub(super) fn field(folded: &str) -> Option<usize> {
    meaning(FIELDS, folded)
}

/// The meaning of a folded value.
pub(super) fn value(folded: &str) -> Option<usize> {
    meaning(VALUES, folded)
}

fn meaning(table: &[&[&str]], folded: &str) -> Option<usize> {
    table.iter().position(|words| words.contains(&folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_folded_and_no_word_stands_in_two_lines() {
        for table in [FIELDS, VALUES] {
            let mut seen = std::collections::BTreeMap::new();
            for (n, line) in table.iter().enumerate() {
                for word in *line {
                    assert_eq!(fold(word), *word);
                    let before = seen.insert(*word, n);
                    assert!(before.is_none_or(|other| other == n), "{word}");
                }
            }
        }
    }

    #[test]
    fn names_are_told_apart_into_words_whatever_their_style() {
        for (name, words) in [
            ("serial_number", vec!["serial", "number"]),
            ("SerialNumber__c", vec!["serial", "number", "c"]),
            ("Größe (cm)", vec!["grosse", "cm"]),
            ("製品 名", vec!["製品", "名"]),
        ] {
            assert_eq!(parts(name), words);
        }
    }
}
