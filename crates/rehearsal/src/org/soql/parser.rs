//! Tokens to a query.

use super::lexer::{Token, malformed, tokens};
use super::{Aggregate, Expr, Literal, Operator, Order, Query, Select};
use crate::org::error::Refusal;

/// Longer queries are refused (Salesforce transport reference, section 3.4).
const LONGEST_QUERY: usize = 100_000;
const AGGREGATES: [&str; 6] = ["COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"];

pub(crate) fn parse(text: &str) -> Result<Query, Refusal> {
    if text.chars().count() > LONGEST_QUERY {
        return Err(Refusal::new(
            "QUERY_TOO_COMPLICATED",
            "the query is longer than 100000 characters",
        ));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let query = parser.query()?;
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(malformed(format!("unexpected token: {}", shown(token)))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, Refusal> {
        let token = self
            .tokens
            .get(self.at)
            .cloned()
            .ok_or_else(|| malformed("unexpected token: <EOF>"))?;
        self.at += 1;
        Ok(token)
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
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

    fn word(&mut self) -> Result<String, Refusal> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => Err(malformed(format!("unexpected token: {}", shown(&other)))),
        }
    }

    fn path(&mut self) -> Result<Vec<String>, Refusal> {
        Ok(self.word()?.split('.').map(str::to_owned).collect())
    }

    fn query(&mut self) -> Result<Query, Refusal> {
        if !self.keyword("SELECT") {
            let found = self.peek().map_or_else(|| "<EOF>".to_owned(), shown);
            return Err(malformed(format!("unexpected token: {found}")));
        }
        let mut select = self.select()?;
        if !self.keyword("FROM") {
            let found = self.peek().map_or_else(|| "<EOF>".to_owned(), shown);
            return Err(malformed(format!("expecting FROM, found {found}")));
        }
        let from = self.word()?;
        let alias = self.alias()?;
        let mut filter = if self.keyword("WHERE") {
            Some(self.any_of()?)
        } else {
            None
        };
        for refused in ["GROUP", "HAVING", "WITH", "USING", "FOR"] {
            if matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(refused)) {
                return Err(malformed(format!(
                    "the local org does not know {refused} in a query"
                )));
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
        if let Some(alias) = alias {
            let own = |path: &mut Vec<String>| {
                if path.len() > 1 && path[0].eq_ignore_ascii_case(&alias) {
                    path.remove(0);
                }
            };
            select_paths(&mut select).for_each(own);
            order.iter_mut().for_each(|order| own(&mut order.path));
            if let Some(filter) = &mut filter {
                for_each_path(filter, &own);
            }
        }
        Ok(Query {
            select,
            from,
            filter,
            order,
            limit,
            offset,
        })
    }

    fn alias(&mut self) -> Result<Option<String>, Refusal> {
        const NOT_ALIASES: [&str; 9] = [
            "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "USING", "FOR",
        ];
        match self.peek() {
            Some(Token::Word(word))
                if !NOT_ALIASES.iter().any(|not| word.eq_ignore_ascii_case(not)) =>
            {
                self.word().map(Some)
            }
            _ => Ok(None),
        }
    }

    fn select(&mut self) -> Result<Select, Refusal> {
        let mut fields = Vec::new();
        let mut aggregates = Vec::new();
        loop {
            if self.sign("(") {
                return Err(malformed(
                    "the local org does not know queries of children inside a select list",
                ));
            }
            let path = self.path()?;
            if !self.sign("(") {
                fields.push(path);
            } else {
                let function = path.join(".").to_uppercase();
                if self.sign(")") {
                    return if function == "COUNT" && fields.is_empty() && aggregates.is_empty() {
                        Ok(Select::Count)
                    } else {
                        Err(malformed(format!("unexpected function: {function}()")))
                    };
                }
                if !AGGREGATES.contains(&function.as_str()) {
                    return Err(malformed(format!(
                        "the local org does not know the function {function}"
                    )));
                }
                let path = self.path()?;
                self.expect(")")?;
                let alias = match self.peek() {
                    Some(Token::Word(word)) if !word.eq_ignore_ascii_case("FROM") => {
                        Some(self.word()?)
                    }
                    _ => None,
                };
                aggregates.push(Aggregate {
                    function,
                    path,
                    alias,
                });
            }
            if !self.sign(",") {
                break;
            }
        }
        match (fields.is_empty(), aggregates.is_empty()) {
            (_, true) => Ok(Select::Fields(fields)),
            (true, false) => Ok(Select::Aggregates(aggregates)),
            (false, false) => Err(malformed("Field must be grouped or aggregated")),
        }
    }

    fn any_of(&mut self) -> Result<Expr, Refusal> {
        let first = self.all_of()?;
        let mut parts = vec![first];
        while self.keyword("OR") {
            parts.push(self.one()?);
        }
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
        let mixed = parts.len() > 1
            && matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case("OR"));
        if mixed {
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
            return Ok(Expr::Not(Box::new(self.one()?)));
        }
        if self.sign("(") {
            let inner = self.any_of()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let path = self.path()?;
        if self.keyword("IN") {
            return self.list(path, false);
        }
        if self.keyword("NOT") {
            if !self.keyword("IN") {
                return Err(malformed("expecting IN after NOT"));
            }
            return self.list(path, true);
        }
        if self.keyword("LIKE") {
            return Ok(Expr::Compare {
                path,
                operator: Operator::Like,
                value: self.literal()?,
            });
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.keyword(word) {
                let values = self.literals()?;
                let texts = values.into_iter().filter_map(|v| {
                    if let Literal::Text(text) = v {
                        Some(text)
                    } else {
                        None
                    }
                });
                let includes = Expr::Compare {
                    path,
                    operator: Operator::Includes,
                    value: Literal::List(texts.collect()),
                };
                return Ok(if negated {
                    Expr::Not(Box::new(includes))
                } else {
                    includes
                });
            }
        }
        let operator = match self.next()? {
            Token::Sign("=") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::AtMost,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::AtLeast,
            other => return Err(malformed(format!("unexpected token: {}", shown(&other)))),
        };
        Ok(Expr::Compare {
            path,
            operator,
            value: self.literal()?,
        })
    }

    fn list(&mut self, path: Vec<String>, negated: bool) -> Result<Expr, Refusal> {
        let is_query = matches!(self.tokens.get(self.at + 1), Some(Token::Word(w)) if w.eq_ignore_ascii_case("SELECT"));
        if !is_query {
            return Ok(Expr::In {
                path,
                negated,
                values: self.literals()?,
            });
        }
        self.expect("(")?;
        let query = Box::new(self.query()?);
        self.expect(")")?;
        Ok(Expr::InQuery {
            path,
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
            other => return Err(malformed(format!("unexpected token: {}", shown(&other)))),
        })
    }

    fn order(&mut self) -> Result<Vec<Order>, Refusal> {
        if !self.keyword("BY") {
            return Err(malformed("expecting BY after ORDER"));
        }
        let mut order = Vec::new();
        loop {
            let path = self.path()?;
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
                path,
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
            other => Err(malformed(format!("unexpected token: {}", shown(&other)))),
        }
    }
}

fn select_paths(select: &mut Select) -> Box<dyn Iterator<Item = &mut Vec<String>> + '_> {
    match select {
        Select::Count => Box::new(std::iter::empty()),
        Select::Fields(fields) => Box::new(fields.iter_mut()),
        Select::Aggregates(aggregates) => {
            Box::new(aggregates.iter_mut().map(|aggregate| &mut aggregate.path))
        }
    }
}

fn for_each_path(expr: &mut Expr, act: &impl Fn(&mut Vec<String>)) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter_mut().for_each(|part| for_each_path(part, act))
        }
        Expr::Not(inner) => for_each_path(inner, act),
        Expr::Compare { path, .. } | Expr::In { path, .. } | Expr::InQuery { path, .. } => {
            act(path)
        }
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) | Token::Date(word) => format!("'{word}'"),
        Token::Text(text) => format!("'{text}'"),
        Token::Number(number) => format!("'{number}'"),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}
