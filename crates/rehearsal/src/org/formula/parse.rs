//! From text to a tree.

use super::{Function, Node, Operator};

/// Deeper than people write; a hostile formula must not exhaust the stack.
const DEEPEST: usize = 60;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Number(f64),
    Name(String),
    Sign(&'static str),
}

/// Longer ones stand before those that they begin with.
const SIGNS: [&str; 20] = [
    "&&", "||", "==", "!=", "<>", "<=", ">=", "=", "<", ">", "!", "+", "-", "*", "/", "^", "&",
    "(", ")", ",",
];

pub(super) fn formula(text: &str) -> Result<Node, String> {
    let mut reader = Reader {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let node = reader.pairs(0)?;
    match reader.peek() {
        None => Ok(node),
        Some(token) => Err(format!(
            "`{}` stands where nothing is expected",
            shown(token)
        )),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            let (_, after) = comment.split_once("*/").ok_or("a comment has no end")?;
            rest = after.trim_start();
            continue;
        }
        let length = match first {
            '"' | '\'' => {
                let (inner, length) = quoted(rest, first)?;
                tokens.push(Token::Text(inner));
                length
            }
            '0'..='9' | '.' => {
                let length = rest
                    .find(|c: char| !c.is_ascii_digit() && c != '.')
                    .unwrap_or(rest.len());
                let number = rest[..length]
                    .parse()
                    .map_err(|_| format!("`{}` is no number", &rest[..length]))?;
                tokens.push(Token::Number(number));
                length
            }
            c if c.is_alphabetic() || c == '$' || c == '_' => {
                let length = rest
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | ':')))
                    .unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..length].to_owned()));
                length
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| format!("`{first}` is not understood"))?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// A text in quotes, and how much of the formula it takes.
fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut inner = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match (escaped, c) {
            (true, 'n') => inner.push('\n'),
            (true, c) => inner.push(c),
            (false, '\\') => {}
            (false, c) if c == quote => return Ok((inner, at + c.len_utf8())),
            (false, c) => inner.push(c),
        }
        escaped = !escaped && c == '\\';
    }
    Err("a text has no end".into())
}

fn shown(token: &Token) -> String {
    match token {
        Token::Text(text) => format!("\"{text}\""),
        Token::Number(number) => number.to_string(),
        Token::Name(name) => name.clone(),
        Token::Sign(sign) => (*sign).to_owned(),
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the end".to_owned(), shown);
        Err(format!("`{sign}` is expected where {found} stands"))
    }

    /// Operands joined by operators that bind at least as strongly as this.
    fn pairs(&mut self, least: u8) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".into());
        }
        let mut left = self.one()?;
        while let Some((operator, strength)) = self.peek().and_then(operator) {
            if strength < least {
                break;
            }
            self.at += 1;
            let right = self.pairs(strength + 1)?;
            left = Node::Pair(Box::new(left), operator, Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn one(&mut self) -> Result<Node, String> {
        if self.takes("!") {
            return self.operand().map(|node| Node::Not(Box::new(node)));
        }
        if self.takes("-") {
            return self.operand().map(|node| Node::Minus(Box::new(node)));
        }
        if self.takes("(") {
            let inner = self.pairs(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let Some(token) = self.peek().cloned() else {
            return Err("it ends where something is expected".into());
        };
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Node::Text(text)),
            Token::Number(number) => Ok(Node::Number(number)),
            Token::Name(name) => self.named(name),
            Token::Sign(sign) => Err(format!("`{sign}` stands where a value is expected")),
        }
    }

    /// What a sign before it belongs to: binds more strongly than every operator.
    fn operand(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".into());
        }
        let node = self.one();
        self.depth -= 1;
        node
    }

    fn named(&mut self, name: String) -> Result<Node, String> {
        if self.takes("(") {
            return self.call(&name);
        }
        match name.to_ascii_uppercase().as_str() {
            "TRUE" => return Ok(Node::Bool(true)),
            "FALSE" => return Ok(Node::Bool(false)),
            "NULL" => return Ok(Node::Null),
            _ => {}
        }
        if name.starts_with('$') || name.contains(['.', ':']) {
            return Err(format!("it asks for {name}, which is not in the row"));
        }
        Ok(Node::Field(name))
    }

    fn call(&mut self, name: &str) -> Result<Node, String> {
        let (function, least, most) = Function::named(name)
            .ok_or_else(|| format!("the function {} is not imitated", name.to_uppercase()))?;
        let mut given = Vec::new();
        if !self.takes(")") {
            loop {
                given.push(self.pairs(0)?);
                if self.takes(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        if given.len() < least || given.len() > most {
            return Err(format!(
                "{} does not take {} values",
                name.to_uppercase(),
                given.len()
            ));
        }
        if function == Function::IsChanged && !matches!(given[0], Node::Field(_)) {
            return Err("ISCHANGED takes a field".into());
        }
        Ok(Node::Call(function, given))
    }
}

/// The operator of a sign, and how strongly it binds.
fn operator(token: &Token) -> Option<(Operator, u8)> {
    let Token::Sign(sign) = token else {
        return None;
    };
    Some(match *sign {
        "||" => (Operator::Or, 1),
        "&&" => (Operator::And, 2),
        "=" | "==" => (Operator::Equal, 3),
        "<>" | "!=" => (Operator::NotEqual, 3),
        "<" => (Operator::Less, 4),
        "<=" => (Operator::LessOrEqual, 4),
        ">" => (Operator::Greater, 4),
        ">=" => (Operator::GreaterOrEqual, 4),
        "&" => (Operator::Join, 5),
        "+" => (Operator::Plus, 5),
        "-" => (Operator::Minus, 5),
        "*" => (Operator::Times, 6),
        "/" => (Operator::Divide, 6),
        _ => return None,
    })
}
