//! Formulas of validation rules, as far as they speak of the row alone.
//!
//! A formula is read once and says then whether it can be evaluated: what other rows, users, permissions or settings it asks for
//! is not known here, and a function that is not imitated would be guessed. Such a formula is named, and never judges a row.

mod eval;
mod parse;

use serde_json::Value;

/// A formula that can be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Formula(Node);

/// What a formula is made of.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Field(String),
    Not(Box<Node>),
    Minus(Box<Node>),
    Pair(Box<Node>, Operator, Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divide,
    Join,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    And,
    Or,
    Not,
    If,
    IsBlank,
    IsPickVal,
    IsNew,
    IsChanged,
    BlankValue,
    Len,
    Text,
    Contains,
    Begins,
    Includes,
    Upper,
    Lower,
    Trim,
    Left,
    Right,
    Now,
    Today,
}

impl Function {
    /// The function of a name, with the least and the most arguments that it takes.
    fn named(name: &str) -> Option<(Self, usize, usize)> {
        const ANY: usize = usize::MAX;
        Some(match name.to_ascii_uppercase().as_str() {
            "AND" => (Self::And, 1, ANY),
            "OR" => (Self::Or, 1, ANY),
            "NOT" => (Self::Not, 1, 1),
            "IF" => (Self::If, 3, 3),
            "ISBLANK" | "ISNULL" => (Self::IsBlank, 1, 1),
            "ISPICKVAL" => (Self::IsPickVal, 2, 2),
            "ISNEW" => (Self::IsNew, 0, 0),
            "ISCHANGED" => (Self::IsChanged, 1, 1),
            "BLANKVALUE" | "NULLVALUE" => (Self::BlankValue, 2, 2),
            "LEN" => (Self::Len, 1, 1),
            "TEXT" => (Self::Text, 1, 1),
            "CONTAINS" => (Self::Contains, 2, 2),
            "BEGINS" => (Self::Begins, 2, 2),
            "INCLUDES" => (Self::Includes, 2, 2),
            "UPPER" => (Self::Upper, 1, 1),
            "LOWER" => (Self::Lower, 1, 1),
            "TRIM" => (Self::Trim, 1, 1),
            "LEFT" => (Self::Left, 2, 2),
            "RIGHT" => (Self::Right, 2, 2),
            "NOW" => (Self::Now, 0, 0),
            "TODAY" => (Self::Today, 0, 0),
            _ => return None,
        })
    }
}

/// The row that a formula looks at.
pub(crate) struct Seen<'r> {
    /// The value of a field as it will be; null where it has none.
    pub(crate) value: &'r dyn Fn(&str) -> Value,
    /// The value that it had; none for a new row.
    pub(crate) before: Option<&'r dyn Fn(&str) -> Value>,
    pub(crate) now: chrono::DateTime<chrono::Utc>,
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// Why it cannot be evaluated here, for people.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        parse::formula(text).map(Self)
    }

    /// The fields that it looks at.
    pub(crate) fn fields(&self) -> Vec<&str> {
        fn of<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
            match node {
                Node::Field(name) => names.push(name),
                Node::Not(one) | Node::Minus(one) => of(one, names),
                Node::Pair(left, _, right) => {
                    of(left, names);
                    of(right, names);
                }
                Node::Call(_, all) => all.iter().for_each(|one| of(one, names)),
                _ => {}
            }
        }
        let mut names = Vec::new();
        of(&self.0, &mut names);
        names
    }

    /// Whether it is true of a row.
    pub(crate) fn is_true(&self, seen: &Seen<'_>) -> bool {
        eval::truth(&eval::value(&self.0, seen))
    }
}

#[cfg(test)]
mod tests;
