use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Formula, Seen};

fn row(name: &str) -> Value {
    match name {
        "Subject" => json!("Printer on fire"),
        "Status" => json!("Closed"),
        "Tags__c" => json!("red;blue"),
        "Score__c" => json!(7.5),
        "Vip__c" => json!(true),
        "Due__c" => json!("2020-02-03"),
        "CreatedDate" => json!("2020-02-03T10:00:00.000+0000"),
        _ => Value::Null,
    }
}

fn is(text: &str, before: Option<&dyn Fn(&str) -> Value>) -> bool {
    let formula = Formula::read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    formula.is_true(&Seen {
        value: &row,
        before,
        now: "2026-01-02T03:04:05Z".parse().unwrap(),
    })
}

#[test]
fn formulas_are_true_of_the_rows_that_they_describe() {
    for (text, expected) in [
        ("ISBLANK(Reason__c)", true),
        ("ISBLANK( Subject )", false),
        ("ISPICKVAL(Status, \"Closed\")", true),
        ("ISPICKVAL(Status, 'Open')", false),
        ("ISPICKVAL(Reason, \"\")", true),
        ("AND(ISPICKVAL(Status, 'Closed'), ISBLANK(Reason__c))", true),
        ("OR(FALSE, NOT(Vip__c), Score__c < 7)", false),
        ("Vip__c && Score__c >= 7.5", true),
        ("Score__c > 7 || Missing__c > 1", true),
        ("Missing__c > 1", false),
        ("Missing__c < 1", false),
        ("LEN(Subject) > 10", true),
        ("LEN(Missing__c) = 0", true),
        ("!Vip__c", false),
        ("! ISBLANK(Subject) && FALSE", false),
        ("TEXT(Status) = \"Closed\"", true),
        ("TEXT(Status) <> \"Closed\"", false),
        ("Subject = \"printer on fire\"", false),
        ("LOWER(Subject) = \"printer on fire\"", true),
        ("CONTAINS(Subject, \"fire\")", true),
        ("BEGINS(Subject, \"fire\")", false),
        ("INCLUDES(Tags__c, \"blue\")", true),
        ("INCLUDES(Tags__c, \"blu\")", false),
        ("LEFT(Subject, 7) & \"!\" = \"Printer!\"", true),
        ("RIGHT(Subject, 4) = 'fire'", true),
        ("1 + 2 * 3 = 7", true),
        ("(1 + 2) * 3 = 9", true),
        ("-Score__c < 0", true),
        ("10 / 4 == 2.5", true),
        ("CreatedDate < NOW()", true),
        ("Due__c <= TODAY()", true),
        ("TODAY() - Due__c > 365", true),
        ("Due__c + 1 > Due__c", true),
        ("IF(Vip__c, Score__c > 8, TRUE)", false),
        ("BLANKVALUE(Missing__c, \"x\") = \"x\"", true),
        ("ISNEW()", true),
        ("ISCHANGED(Status)", false),
        ("/* a note */ Vip__c = TRUE", true),
        ("Missing__c = NULL", true),
        ("\"a \\\"quoted\\\" text\" = 'a \"quoted\" text'", true),
    ] {
        assert_eq!(is(text, None), expected, "{text}");
    }
}

#[test]
fn what_changed_is_told_from_what_was_there() {
    let before = |name: &str| match name {
        "Status" => json!("New"),
        other => row(other),
    };
    assert!(is("ISCHANGED(Status)", Some(&before)));
    assert!(!is("ISCHANGED(Subject)", Some(&before)));
    assert!(!is("ISNEW()", Some(&before)));
}

#[test]
fn formulas_that_ask_for_more_than_the_row_are_not_guessed() {
    for (text, why) in [
        ("Account.Name = 'x'", "Account.Name"),
        ("NOT($Permission.Migration_Bypass)", "$Permission"),
        ("REGEX(Subject, 'x')", "REGEX is not imitated"),
        ("VLOOKUP(a, b, c)", "VLOOKUP"),
        ("AND(", "ends"),
        ("AND(TRUE", "`,` is expected"),
        ("TRUE TRUE", "nothing is expected"),
        ("\"open", "no end"),
        ("LEN()", "does not take 0"),
        ("1 ^ 2", "nothing is expected"),
        ("", "ends"),
        ("~", "not understood"),
    ] {
        let said = Formula::read(text).unwrap_err();
        assert!(said.contains(why), "{text}: {said}");
    }
    let deep = "(".repeat(100_000);
    assert!(Formula::read(&deep).unwrap_err().contains("deeply"));
    let signs = "!".repeat(100_000);
    assert!(Formula::read(&signs).unwrap_err().contains("deeply"));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[A-Za-z0-9_.$(),\"'\\\\!&|<>=+*/^ -]{0,60}") {
        if let Ok(formula) = Formula::read(&text) {
            let seen = Seen { value: &row, before: None, now: chrono::DateTime::UNIX_EPOCH };
            formula.is_true(&seen);
            formula.fields();
        }
    }
}
