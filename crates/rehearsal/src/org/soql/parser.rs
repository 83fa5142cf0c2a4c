//! Tokens to a query.

use chrono::{NaiveDate, Utc};

use super::dates;
use super::lexer::{Token, malformed, tokens};
use super::{Expr, Item, Literal, Operand, Operator, Order, Query, Select, Typeof, What};
use crate::org::error::Refusal;

/// Longer queries are refused (Salesforce transport reference, section 3.4).
const LONGEST_QUERY: usize = 100_000;
/// How deep conditions and queries may be put into each other.
const DEEPEST: usize = 60;

const FUNCTIONS: [&str; 24] = [
    "COUNT",
    "COUNT_DISTINCT",
    "MIN",
    "MAX",
    "SUM",
    "AVG",
    "CALENDAR_MONTH",
    "CALENDAR_QUARTER",
    "CALENDAR_YEAR",
    "DAY_IN_MONTH",
    "DAY_IN_WEEK",
    "DAY_IN_YEAR",
    "DAY_ONLY",
    "FISCAL_MONTH",
    "FISCAL_QUARTER",
    "FISCAL_YEAR",
    "HOUR_IN_DAY",
    "WEEK_IN_MONTH",
    "WEEK_IN_YEAR",
    "CONVERTTIMEZONE",
    "TOLABEL",
    "FORMAT",
    "CONVERTCURRENCY",
    "GROUPING",
];
/// Words that end what stands before them, and so are no aliases.
const CLAUSES: [&str; 14] = [
    "FROM", "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "USING", "FOR", "ASC",
    "DESC", "NULLS", "UPDATE",
];

pub(crate) fn parse(text: &str) -> Result<Query, Refusal> {
    parse_at(text, Utc::now().date_naive())
}

/// `today` gives names such as `LAST_WEEK` their days.
pub(super) fn parse_at(text: &str, today: NaiveDate) -> Result<Query, Refusal> {
    if text.chars().count() > LONGEST_QUERY {
        return Err(Refusal::new(
            "QUERY_TOO_COMPLICATED",
            "the query is longer than 100000 characters",
        ));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        today,
        depth: 0,
    };
    let query = parser.query()?;
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(unexpected(Some(token))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    today: NaiveDate,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, Refusal> {
        let token = self.peek().cloned().ok_or_else(|| unexpected(None))?;
        self.at += 1;
        Ok(token)
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word))
    }

    fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Sign(s)) if *s == sign)
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(0, sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Refusal> {
        if self.sign(sign) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "<EOF>".to_owned(), shown);
        Err(malformed(format!("expecting '{sign}', found {found}")))
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Refusal> {
        if self.keyword(word) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "<EOF>".to_owned(), shown);
        Err(malformed(format!("expecting {word}, found {found}")))
    }

    fn word(&mut self) -> Result<String, Refusal> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => Err(unexpected(Some(&other))),
        }
    }

    fn path(&mut self) -> Result<Vec<String>, Refusal> {
        let word = self.word()?;
        if CLAUSES
            .iter()
            .any(|clause| word.eq_ignore_ascii_case(clause))
        {
            return Err(malformed(format!("unexpected token: '{word}'")));
        }
        let path: Vec<String> = word.split('.').map(str::to_owned).collect();
        if path
            .iter()
            .any(|name| name.is_empty() || name.contains(':'))
        {
            return Err(malformed(format!("unexpected token: '{word}'")));
        }
        Ok(path)
    }

    /// A field, or a function of one.
    fn operand(&mut self) -> Result<Operand, Refusal> {
        let path = self.path()?;
        if !self.sign("(") {
            return Ok(Operand {
                function: None,
                path,
            });
        }
        let function = path.join(".").to_uppercase();
        if !FUNCTIONS.contains(&function.as_str()) {
            return Err(malformed(format!(
                "the local org does not know the function {function}"
            )));
        }
        if self.sign(")") {
            if function == "COUNT" {
                return Ok(Operand {
                    function: Some(function),
                    path: Vec::new(),
                });
            }
            return Err(malformed(format!("unexpected function: {function}()")));
        }
        let inner = self.operand()?;
        self.expect(")")?;
        // The users of this org live in Greenwich, so a moment is the same in their time.
        match (function.as_str(), inner.function) {
            (_, None) => Ok(Operand {
                function: (function != "CONVERTTIMEZONE").then_some(function),
                path: inner.path,
            }),
            ("FORMAT" | "CONVERTTIMEZONE", of) => Ok(Operand {
                function: of,
                path: inner.path,
            }),
            (_, Some(of)) => Err(malformed(format!(
                "unexpected function: {of} in {function}"
            ))),
        }
    }

    fn deeper(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Refusal::new(
                "QUERY_TOO_COMPLICATED",
                "the query is nested too deeply",
            ));
        }
        Ok(())
    }

    fn query(&mut self) -> Result<Query, Refusal> {
        self.deeper()?;
        if !self.keyword("SELECT") {
            return Err(unexpected(self.peek()));
        }
        let mut select = self.select()?;
        self.expect_word("FROM")?;
        // An object may be called as a clause is: Group is.
        let from = self.word()?;
        let ends = ["WHERE", "LIMIT", "ORDER"];
        if from.contains(':') || ends.iter().any(|end| from.eq_ignore_ascii_case(end)) {
            return Err(malformed(format!("unexpected token: '{from}'")));
        }
        let alias = self.alias();
        if self.keyword("USING") {
            self.expect_word("SCOPE")?;
            self.word()?;
        }
        let mut filter = None;
        if self.keyword("WHERE") {
            filter = Some(self.any_of()?);
        }
        self.with()?;
        let (mut group, mut having) = (Vec::new(), None);
        if self.keyword("GROUP") {
            self.expect_word("BY")?;
            group = self.group()?;
            if self.keyword("HAVING") {
                having = Some(self.any_of()?);
            }
        }
        let mut order = if self.keyword("ORDER") {
            self.order()?
        } else {
            Vec::new()
        };
        let limit = if self.keyword("LIMIT") {
            Some(self.count()?)
        } else {
            None
        };
        let offset = if self.keyword("OFFSET") {
            self.count()?
        } else {
            0
        };
        self.locks()?;
        if let Some(alias) = alias {
            let own = |path: &mut Vec<String>| {
                if path.len() > 1 && path[0].eq_ignore_ascii_case(&alias) {
                    path.remove(0);
                }
            };
            select_paths(&mut select).for_each(own);
            group.iter_mut().for_each(|by| own(&mut by.path));
            order
                .iter_mut()
                .for_each(|order| own(&mut order.operand.path));
            for expr in filter.iter_mut().chain(&mut having) {
                for_each_path(expr, &own);
            }
        }
        self.depth -= 1;
        Ok(Query {
            select,
            from,
            filter,
            group,
            having,
            order,
            limit,
            offset,
        })
    }

    /// `WITH SECURITY_ENFORCED`: whoever asks sees what the org shows, so it changes nothing.
    fn with(&mut self) -> Result<(), Refusal> {
        if !self.keyword("WITH") {
            return Ok(());
        }
        let word = self.word()?;
        let known = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"];
        if known.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            return Ok(());
        }
        Err(malformed(format!(
            "the local org does not know WITH {word} in a query"
        )))
    }

    /// `FOR VIEW`, `FOR REFERENCE`, `FOR UPDATE` and `UPDATE TRACKING` have no effect on rows.
    fn locks(&mut self) -> Result<(), Refusal> {
        while self.keyword("FOR") || self.keyword("UPDATE") {
            let word = self.word()?.to_uppercase();
            if !["VIEW", "REFERENCE", "UPDATE", "TRACKING", "VIEWSTAT"].contains(&word.as_str()) {
                return Err(malformed(format!("unexpected token: '{word}'")));
            }
            while self.sign(",") {
                self.word()?;
            }
        }
        Ok(())
    }

    /// A name that the query gives to what stands before it; not one of the words that the language keeps for itself.
    fn alias(&mut self) -> Option<String> {
        const RESERVED: [&str; 12] = [
            "AND", "EXCLUDES", "FIRST", "IN", "INCLUDES", "LAST", "LIKE", "NOT", "NULL", "OR",
            "SELECT", "WHEN",
        ];
        match self.peek() {
            Some(Token::Word(word))
                if RESERVED.iter().any(|not| word.eq_ignore_ascii_case(not)) =>
            {
                None
            }
            Some(Token::Word(word))
                if !CLAUSES.iter().any(|not| word.eq_ignore_ascii_case(not))
                    && !word.contains(['.', ':']) =>
            {
                let word = word.clone();
                self.at += 1;
                Some(word)
            }
            _ => None,
        }
    }

    fn select(&mut self) -> Result<Select, Refusal> {
        let mut items = Vec::new();
        loop {
            items.push(self.item()?);
            if !self.sign(",") {
                break;
            }
        }
        let is_count = |item: &Item| {
            item.alias.is_none()
                && matches!(&item.what, What::Value(value) if value.function.is_some() && value.path.is_empty())
        };
        if items.len() == 1 && is_count(&items[0]) {
            return Ok(Select::Count);
        }
        if items.iter().any(is_count) {
            return Err(malformed("unexpected token: 'COUNT()'"));
        }
        Ok(Select::Items(items))
    }

    fn item(&mut self) -> Result<Item, Refusal> {
        let plain = |what: What| Item { what, alias: None };
        if self.sign("(") {
            let query = self.query()?;
            self.expect(")")?;
            return Ok(plain(What::Children(Box::new(query))));
        }
        if self.is_word(0, "TYPEOF") && !self.is_sign(1, ",") && !self.is_word(1, "FROM") {
            self.at += 1;
            return self.type_of().map(|of| plain(What::Typeof(of)));
        }
        if self.is_word(0, "FIELDS") && self.is_sign(1, "(") {
            self.at += 2;
            let which = self.word()?.to_uppercase();
            self.expect(")")?;
            if !["ALL", "STANDARD", "CUSTOM"].contains(&which.as_str()) {
                return Err(malformed(format!("unexpected token: '{which}'")));
            }
            return Ok(plain(What::Fields(which)));
        }
        let value = self.operand()?;
        let alias = self.alias();
        Ok(Item {
            what: What::Value(value),
            alias,
        })
    }

    fn type_of(&mut self) -> Result<Typeof, Refusal> {
        let relationship = self.word()?;
        let mut of = Typeof {
            relationship,
            cases: Vec::new(),
            otherwise: Vec::new(),
        };
        while self.keyword("WHEN") {
            let object = self.word()?;
            self.expect_word("THEN")?;
            let paths = self.paths()?;
            of.cases.push((object, paths));
        }
        if of.cases.is_empty() {
            return Err(unexpected(self.peek()));
        }
        if self.keyword("ELSE") {
            of.otherwise = self.paths()?;
        }
        self.expect_word("END")?;
        Ok(of)
    }

    fn paths(&mut self) -> Result<Vec<Vec<String>>, Refusal> {
        let mut paths = vec![self.path()?];
        while self.sign(",") {
            paths.push(self.path()?);
        }
        Ok(paths)
    }

    fn group(&mut self) -> Result<Vec<Operand>, Refusal> {
        for refused in ["ROLLUP", "CUBE"] {
            if self.is_word(0, refused) && self.is_sign(1, "(") {
                return Err(malformed(format!(
                    "the local org does not know GROUP BY {refused}"
                )));
            }
        }
        let mut by = vec![self.operand()?];
        while self.sign(",") {
            by.push(self.operand()?);
        }
        Ok(by)
    }

    fn any_of(&mut self) -> Result<Expr, Refusal> {
        self.deeper()?;
        let first = self.all_of()?;
        let mut parts = vec![first];
        while self.keyword("OR") {
            parts.push(self.one()?);
        }
        self.depth -= 1;
        if parts.len() == 1 {
            Ok(parts.remove(0))
        } else {
            Ok(Expr::Or(parts))
        }
    }

    fn all_of(&mut self) -> Result<Expr, Refusal> {
        let mut parts = vec![self.one()?];
        while self.keyword("AND") {
            parts.push(self.one()?);
        }
        // The platform wants parentheses where AND and OR meet, in either order.
        if parts.len() > 1 && self.is_word(0, "OR") {
            return Err(malformed("unexpected token: OR"));
        }
        if parts.len() == 1 {
            Ok(parts.remove(0))
        } else {
            Ok(Expr::And(parts))
        }
    }

    fn one(&mut self) -> Result<Expr, Refusal> {
        if self.keyword("NOT") {
            self.deeper()?;
            let inner = self.one()?;
            self.depth -= 1;
            return Ok(Expr::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.any_of()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let operand = self.operand()?;
        if self.keyword("IN") {
            return self.list(operand, false);
        }
        if self.keyword("NOT") {
            self.expect_word("IN")?;
            return self.list(operand, true);
        }
        if self.keyword("LIKE") {
            return Ok(Expr::Compare {
                operand,
                operator: Operator::Like,
                value: self.literal()?,
            });
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.keyword(word) {
                return self.includes(operand, negated);
            }
        }
        let operator = match self.next()? {
            Token::Sign("=") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::AtMost,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::AtLeast,
            other => return Err(unexpected(Some(&other))),
        };
        Ok(Expr::Compare {
            operand,
            operator,
            value: self.literal()?,
        })
    }

    fn includes(&mut self, operand: Operand, negated: bool) -> Result<Expr, Refusal> {
        let values = self.literals()?;
        let texts = values.into_iter().filter_map(|value| match value {
            Literal::Text(text) => Some(text),
            _ => None,
        });
        let includes = Expr::Compare {
            operand,
            operator: Operator::Includes,
            value: Literal::List(texts.collect()),
        };
        Ok(if negated {
            Expr::Not(Box::new(includes))
        } else {
            includes
        })
    }

    fn list(&mut self, operand: Operand, negated: bool) -> Result<Expr, Refusal> {
        if !self.is_word(1, "SELECT") {
            return Ok(Expr::In {
                operand,
                negated,
                values: self.literals()?,
            });
        }
        self.expect("(")?;
        let query = Box::new(self.query()?);
        self.expect(")")?;
        Ok(Expr::InQuery {
            operand,
            negated,
            query,
        })
    }

    fn literals(&mut self) -> Result<Vec<Literal>, Refusal> {
        self.expect("(")?;
        let mut values = vec![self.literal()?];
        while self.sign(",") {
            values.push(self.literal()?);
        }
        self.expect(")")?;
        Ok(values)
    }

    fn literal(&mut self) -> Result<Literal, Refusal> {
        Ok(match self.next()? {
            Token::Text(text) => Literal::Text(text),
            Token::Number(number) => Literal::Number(number),
            Token::Date(date) => Literal::Date(date),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Literal::Null,
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Boolean(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Boolean(false),
            Token::Word(word) => match dates::named(&word, self.today) {
                Some((from, to)) => Literal::Days(from, to),
                None => return Err(malformed(format!("unexpected token: '{word}'"))),
            },
            other => return Err(unexpected(Some(&other))),
        })
    }

    fn order(&mut self) -> Result<Vec<Order>, Refusal> {
        self.expect_word("BY")?;
        let mut order = Vec::new();
        loop {
            let operand = self.operand()?;
            let descending = self.keyword("DESC");
            if !descending {
                self.keyword("ASC");
            }
            let mut nulls_last = false;
            if self.keyword("NULLS") {
                nulls_last = self.keyword("LAST");
                if !nulls_last && !self.keyword("FIRST") {
                    return Err(malformed("expecting FIRST or LAST after NULLS"));
                }
            }
            order.push(Order {
                operand,
                descending,
                nulls_last,
            });
            if !self.sign(",") {
                return Ok(order);
            }
        }
    }

    fn count(&mut self) -> Result<usize, Refusal> {
        match self.next()? {
            Token::Number(number)
                if number >= 0.0 && number.fract() == 0.0 && number <= 50_000_000.0 =>
            {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the range was checked just above"
                )]
                let count = number as usize;
                Ok(count)
            }
            other => Err(unexpected(Some(&other))),
        }
    }
}

fn select_paths(select: &mut Select) -> Box<dyn Iterator<Item = &mut Vec<String>> + '_> {
    match select {
        Select::Count => Box::new(std::iter::empty()),
        Select::Items(items) => {
            Box::new(items.iter_mut().filter_map(|item| match &mut item.what {
                What::Value(value) => Some(&mut value.path),
                _ => None,
            }))
        }
    }
}

fn for_each_path(expr: &mut Expr, act: &impl Fn(&mut Vec<String>)) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter_mut().for_each(|part| for_each_path(part, act));
        }
        Expr::Not(inner) => for_each_path(inner, act),
        Expr::Compare { operand, .. }
        | Expr::In { operand, .. }
        | Expr::InQuery { operand, .. } => {
            act(&mut operand.path);
        }
    }
}

fn unexpected(token: Option<&Token>) -> Refusal {
    let found = token.map_or_else(|| "<EOF>".to_owned(), shown);
    malformed(format!("unexpected token: {found}"))
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) | Token::Date(word) => format!("'{word}'"),
        Token::Text(text) => format!("'{text}'"),
        Token::Number(number) => format!("'{number}'"),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}
