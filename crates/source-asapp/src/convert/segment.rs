//! Segments: which set of conversations one falls into. Nothing stores that: the expressions are evaluated again (ASAPP reference,
//! section 4.3).

use serde_json::Value;

/// The segment that everything falls into.
const GLOBAL: &str = "GLOBAL";

/// Segments with the order in which people want them to count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Segments {
    all: Vec<(String, Expression)>,
    priority: Vec<String>,
}

impl Segments {
    /// From definitions as the Configuration API answers them and a list of ids, the one that counts most first.
    ///
    /// # Errors
    /// An expression that cannot be read, or an id that no segment has; for people.
    pub(crate) fn new(list: &[Value], priority: Vec<String>) -> Result<Self, String> {
        let mut all = Vec::new();
        for segment in list {
            let id = segment
                .get("id")
                .and_then(Value::as_str)
                .ok_or("a segment has no id")?;
            let raw = segment
                .pointer("/query/raw")
                .and_then(Value::as_str)
                .unwrap_or("TRUE");
            let expression = Expression::parse(raw)
                .map_err(|why| format!("the query of segment {id}: {why}"))?;
            all.push((id.to_owned(), expression));
        }
        if let Some(unknown) = priority
            .iter()
            .find(|id| !all.iter().any(|(known, _)| known == *id))
        {
            return Err(format!(
                "`segment_priority` names {unknown}, and there is no such segment"
            ));
        }
        Ok(Self { all, priority })
    }

    /// What people should know: segments that can match together, and nothing that decides between them.
    pub(crate) fn warning(&self) -> Option<String> {
        let open: Vec<&str> = self
            .all
            .iter()
            .map(|(id, _)| id.as_str())
            .filter(|id| *id != GLOBAL && !self.priority.iter().any(|first| first == id))
            .collect();
        (open.len() > 1).then(|| {
            format!(
                "segments {} are in no order: a conversation that several of them match gets none, unless `segment_priority` names one",
                open.join(", ")
            )
        })
    }

    /// The segment of a conversation by the values of its fields. Of several the first by priority; nothing where the
    /// list does not decide: the order of definitions means nothing.
    pub(crate) fn of(&self, field: &dyn Fn(&str) -> Vec<String>) -> Option<String> {
        let matches: Vec<&str> = self
            .all
            .iter()
            .filter(|(_, expression)| expression.holds(field))
            .map(|(id, _)| id.as_str())
            .collect();
        let first = self
            .priority
            .iter()
            .find(|id| matches.contains(&id.as_str()));
        if let Some(first) = first {
            return Some(first.clone());
        }
        let special: Vec<_> = matches.iter().filter(|id| **id != GLOBAL).collect();
        match special.as_slice() {
            [one] => Some((**one).to_owned()),
            [] => matches.first().map(|id| (*id).to_owned()),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    True,
    Is(String, Vec<String>),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

impl Expression {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            words: words(text)?,
            at: 0,
        };
        let whole = parser.any()?;
        match parser.peek() {
            None => Ok(whole),
            Some(word) => Err(format!("`{}` was not expected", word.text())),
        }
    }

    fn holds(&self, field: &dyn Fn(&str) -> Vec<String>) -> bool {
        match self {
            Self::True => true,
            Self::Not(inner) => !inner.holds(field),
            Self::And(all) => all.iter().all(|one| one.holds(field)),
            Self::Or(all) => all.iter().any(|one| one.holds(field)),
            Self::Is(name, values) => field(name)
                .iter()
                .any(|found| values.iter().any(|value| same(name, found, value))),
        }
    }
}

/// Case does not count: the guide compares `ios` with `IOS`. Values may carry the field's name as a prefix.
fn same(field: &str, found: &str, value: &str) -> bool {
    let prefix = format!("{}_", field.to_uppercase());
    let found = found.to_uppercase();
    let value = value.to_uppercase();
    found == value
        || found
            .strip_prefix(&prefix)
            .is_some_and(|bare| bare == value)
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Name(String),
    Text(String),
    Sign(char),
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Name(text) | Self::Text(text) => text.clone(),
            Self::Sign(sign) => sign.to_string(),
        }
    }

    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Name(name) if name.eq_ignore_ascii_case(keyword))
    }
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            blank if blank.is_whitespace() => {}
            '(' | ')' | '[' | ']' | ',' | '=' => words.push(Word::Sign(next)),
            '\'' | '"' => {
                let mut text = String::new();
                loop {
                    match rest.next() {
                        Some(end) if end == next => break,
                        Some(letter) => text.push(letter),
                        None => return Err("a text has no end".to_owned()),
                    }
                }
                words.push(Word::Text(text));
            }
            letter if letter.is_alphanumeric() || letter == '_' => {
                let mut name = String::from(letter);
                while let Some(letter) = rest
                    .next_if(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'))
                {
                    name.push(letter);
                }
                words.push(Word::Name(name));
            }
            other => return Err(format!("`{other}` was not expected")),
        }
    }
    Ok(words)
}

struct Parser {
    words: Vec<Word>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at)
    }

    fn next(&mut self) -> Result<Word, String> {
        let word = self.peek().cloned().ok_or("it ends too early")?;
        self.at += 1;
        Ok(word)
    }

    fn takes(&mut self, is: impl Fn(&Word) -> bool) -> bool {
        let taken = self.peek().is_some_and(is);
        self.at += usize::from(taken);
        taken
    }

    fn any(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.each()?];
        while self.takes(|word| word.is("OR")) {
            all.push(self.each()?);
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Expression::Or(all)
        })
    }

    fn each(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.one()?];
        while self.takes(|word| word.is("AND")) {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Expression::And(all)
        })
    }

    fn one(&mut self) -> Result<Expression, String> {
        if self.takes(|word| word.is("NOT")) {
            return Ok(Expression::Not(Box::new(self.one()?)));
        }
        if self.takes(|word| *word == Word::Sign('(')) {
            let inner = self.any()?;
            return match self.next()? {
                Word::Sign(')') => Ok(inner),
                other => Err(format!("`)` was expected before `{}`", other.text())),
            };
        }
        let Word::Name(field) = self.next()? else {
            return Err("a field was expected".to_owned());
        };
        if field.eq_ignore_ascii_case("TRUE") {
            return Ok(Expression::True);
        }
        if self.takes(|word| *word == Word::Sign('=')) {
            return Ok(Expression::Is(field, vec![self.next()?.text()]));
        }
        if self.takes(|word| word.is("IN"))
            && self.takes(|word| matches!(word, Word::Sign('[' | '(')))
        {
            let mut values = Vec::new();
            loop {
                match self.next()? {
                    Word::Sign(']' | ')') => return Ok(Expression::Is(field, values)),
                    Word::Sign(',') => {}
                    value => values.push(value.text()),
                }
            }
        }
        Err(format!("`=` or `IN [...]` was expected behind `{field}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn conversation(field: &str) -> Vec<String> {
        let values: &[&str] = match field {
            "platform" => &["IOS"],
            "operating_system" => &["OPERATING_SYSTEM_MAC_OS"],
            "company_segment" => &["retail", "web"],
            _ => &[],
        };
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn expressions_hold_or_do_not() {
        let cases = [
            ("TRUE", true),
            ("platform = 'ios'", true),
            ("NOT platform = 'ios'", false),
            ("operating_system = 'MAC_OS'", true),
            ("company_segment IN ['wholesale','web']", true),
            ("lob_id = '7'", false),
            (
                "platform = 'web' OR platform = 'ios' AND company_segment = 'retail'",
                true,
            ),
            (
                "(platform = 'web' OR platform = 'ios') AND NOT (company_segment = 'retail')",
                false,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Expression::parse(text).unwrap().holds(&conversation),
                expected,
                "{text}"
            );
        }
        for text in [
            "",
            "platform",
            "platform =",
            "platform IN ['a'",
            "(TRUE",
            "TRUE TRUE",
            "platform = 'ios",
            "a > 'b'",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn of_several_segments_only_a_list_of_people_decides() {
        let definitions = json!([
            {"id": "GLOBAL", "query": {"type": "raw", "raw": "TRUE"}},
            {"id": "PHONES", "query": {"type": "raw", "raw": "platform IN ['ios','android']"}},
            {"id": "RETAIL", "query": {"type": "raw", "raw": "company_segment = 'retail'"}},
        ]);
        let definitions = definitions.as_array().unwrap();
        let with = |priority: &[&str]| {
            let priority = priority.iter().map(|id| (*id).to_owned()).collect();
            Segments::new(definitions, priority).map(|segments| segments.of(&conversation))
        };
        assert_eq!(with(&[]), Ok(None));
        assert_eq!(with(&["RETAIL", "PHONES"]), Ok(Some("RETAIL".to_owned())));
        assert!(with(&["OTHER"]).is_err());
        let warning =
            |priority: Vec<String>| Segments::new(definitions, priority).unwrap().warning();
        assert!(warning(Vec::new()).is_some_and(|text| text.contains("PHONES, RETAIL")));
        assert_eq!(warning(vec!["RETAIL".to_owned()]), None);
        let nobody = |_: &str| Vec::new();
        assert_eq!(
            Segments::new(definitions, Vec::new()).unwrap().of(&nobody),
            Some("GLOBAL".to_owned())
        );
    }
}
