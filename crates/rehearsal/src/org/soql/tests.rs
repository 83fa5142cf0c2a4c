use proptest::prelude::*;

use super::filter::like;
use super::parser::parse;
use super::*;

/// The literal as a client writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

proptest! {
    #[test]
    fn no_text_brings_the_parser_down(text in "\\PC{0,60}", words in "(SELECT|FROM|WHERE|IN|NOT|AND|OR|LIKE|NULLS|[a-z.]{1,4}|'[a-z\\\\]*'?|[0-9.:T+Z-]{1,12}|[(),=<>!]| ){0,24}") {
        let _either_way = parse(&text);
        let _either_way = parse(&words);
        let _either_way = parse(&format!("SELECT Id FROM Case WHERE {words}"));
    }

    #[test]
    fn a_quoted_text_means_itself(text in "[^\\p{Cc}]{0,40}|[\\n\\r\\t'\\\\%_a]{0,20}") {
        let query = parse(&format!("SELECT Id FROM Case WHERE Subject = {}", quoted(&text))).unwrap();
        let Some(Expr::Compare { value: Literal::Text(read), .. }) = query.filter else { panic!("no comparison") };
        prop_assert_eq!(read, text);
    }

    #[test]
    fn every_text_is_like_itself_and_like_anything(text in "[a-z0-9 ]{0,20}") {
        let (within, longer) = (format!("%{text}%"), format!("{text}_"));
        for pattern in [text.as_str(), "%", &within, &"_".repeat(text.chars().count())] {
            prop_assert!(like(&text, pattern), "{} is not like {}", text, pattern);
        }
        prop_assert!(!like(&text, &longer));
    }
}
