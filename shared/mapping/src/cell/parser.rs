//! Reads a cell by recursive descent, with Jinja's precedence.

use super::lexer::{Placed, Token, tokens};
use super::syntax::{Expr, Node, Operator, Step};
use crate::finding::{CellError, Columns, FindingCode, nearest};
use crate::value::Value;
use crate::{functions, limits};

pub(super) fn parse(cell: &str) -> Result<Expr, CellError> {
    let tokens = tokens(cell)?;
    let end = cell.chars().count() + 1;
    let mut parser = Parser { tokens, at: 0, nesting: 0, end: Columns::new(end, end) };
    let expr = parser.ternary()?;
    match parser.peek() {
        None => Ok(expr),
        Some(placed) => Err(unexpected(placed, "the end of the cell")),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    nesting: usize,
    /// Just behind the last character, for what is missing at the end.
    end: Columns,
}

/// Names that are part of the grammar and cannot be variables.
const KEYWORDS: [&str; 12] = ["if", "else", "and", "or", "not", "in", "true", "false", "none", "True", "False", "None"];

/// Whether a cell can read a variable of this name.
pub(crate) fn is_name(name: &str) -> bool {
    super::syntax::plain_name(name) && !KEYWORDS.contains(&name)
}

type Parsed = Result<Expr, CellError>;

impl Parser {
    fn peek(&self) -> Option<&Placed> {
        self.tokens.get(self.at)
    }

    fn next(&mut self, wanted: &str) -> Result<Placed, CellError> {
        let found = self.tokens.get(self.at).cloned();
        self.at += 1;
        found.ok_or_else(|| CellError::new(FindingCode::Syntax, self.end, format!("{wanted} is missing")))
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Placed { token: Token::Sign(found), .. }) if *found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Placed { token: Token::Name(found), .. }) if found == word)
    }

    fn skip_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn skip_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn close(&mut self, sign: &'static str) -> Result<Columns, CellError> {
        let placed = self.next(&format!("«{sign}»"))?;
        match placed.token {
            Token::Sign(found) if found == sign => Ok(placed.columns),
            _ => Err(unexpected(&placed, &format!("«{sign}»"))),
        }
    }

    /// Every way into deeper recursion passes here, so the stack is safe whatever the cell says.
    fn nested(&mut self, columns: Columns, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.nesting += 1;
        if self.nesting > limits::NESTING {
            return Err(too_deep(columns));
        }
        let read = read(self);
        self.nesting -= 1;
        read
    }

    fn ternary(&mut self) -> Parsed {
        let mut expr = self.or()?;
        while let Some(placed) = self.peek() {
            let columns = placed.columns;
            if !self.skip_word("if") {
                break;
            }
            let condition = self.or()?;
            let otherwise = if self.skip_word("else") { Some(self.nested(columns, Self::ternary)?) } else { None };
            let last = otherwise.as_ref().unwrap_or(&condition).columns;
            let columns = Columns { from: expr.columns.from, to: last.to };
            let depth = deepest([Some(&expr), Some(&condition), otherwise.as_ref()].into_iter().flatten());
            let node = Node::If { then: expr.into(), condition: condition.into(), otherwise: otherwise.map(Box::new) };
            expr = make(node, columns, depth)?;
        }
        Ok(expr)
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.skip_word("or") {
            left = binary(Operator::Or, left, self.and()?)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        while self.skip_word("and") {
            left = binary(Operator::And, left, self.not()?)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        let Some(columns) = self.peek().map(|placed| placed.columns) else { return self.compare() };
        if !self.skip_word("not") {
            return self.compare();
        }
        let inner = self.nested(columns, Self::not)?;
        let (depth, columns) = (inner.depth, Columns { from: columns.from, to: inner.columns.to });
        make(Node::Not(inner.into()), columns, depth)
    }

    fn compare(&mut self) -> Parsed {
        let left = self.sum()?;
        let Some(operator) = self.comparison()? else { return Ok(left) };
        let compared = binary(operator, left, self.sum()?)?;
        let at = self.peek().map(|placed| placed.columns);
        match (self.comparison()?, at) {
            (Some(_), Some(columns)) => {
                let message = "comparisons do not chain: join two of them with and";
                Err(CellError::new(FindingCode::Syntax, columns, message))
            }
            _ => Ok(compared),
        }
    }

    fn comparison(&mut self) -> Result<Option<Operator>, CellError> {
        if self.skip_word("in") {
            return Ok(Some(Operator::In));
        }
        if self.is_word("not") {
            self.at += 1;
            let placed = self.next("in")?;
            return match placed.token {
                Token::Name(word) if word == "in" => Ok(Some(Operator::NotIn)),
                _ => Err(unexpected(&placed, "in")),
            };
        }
        let operator = match self.peek().map(|placed| &placed.token) {
            Some(Token::Sign("==")) => Operator::Equal,
            Some(Token::Sign("!=")) => Operator::Unequal,
            Some(Token::Sign("<")) => Operator::Less,
            Some(Token::Sign("<=")) => Operator::LessOrEqual,
            Some(Token::Sign(">")) => Operator::Greater,
            Some(Token::Sign(">=")) => Operator::GreaterOrEqual,
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(operator))
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.join()?;
        loop {
            let operator = match () {
                () if self.skip_sign("+") => Operator::Add,
                () if self.skip_sign("-") => Operator::Subtract,
                () => return Ok(left),
            };
            left = binary(operator, left, self.join()?)?;
        }
    }

    fn join(&mut self) -> Parsed {
        let mut left = self.product()?;
        while self.skip_sign("~") {
            left = binary(Operator::Join, left, self.product()?)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.filtered()?;
        loop {
            let operator = match () {
                () if self.skip_sign("*") => Operator::Multiply,
                () if self.skip_sign("/") => Operator::Divide,
                () => return Ok(left),
            };
            left = binary(operator, left, self.filtered()?)?;
        }
    }

    /// `value | function(argument, …) | …`; as in Jinja a minus sign belongs to the value.
    fn filtered(&mut self) -> Parsed {
        let mut expr = self.negation()?;
        while self.skip_sign("|") {
            expr = self.call(expr)?;
        }
        Ok(expr)
    }

    fn call(&mut self, input: Expr) -> Parsed {
        let placed = self.next("the name of a function")?;
        let Token::Name(name) = &placed.token else { return Err(unexpected(&placed, "the name of a function")) };
        let Some(function) = functions::find(name) else {
            let known = functions::all().iter().map(|function| function.name);
            return Err(CellError::new(
                FindingCode::UnknownFunction,
                placed.columns,
                format!("unknown function «{name}»"),
            )
            .suggest(nearest(name, known)));
        };
        let mut columns = Columns { from: input.columns.from, to: placed.columns.to };
        let mut arguments = Vec::new();
        if self.skip_sign("(") {
            (arguments, columns.to) = self.items(")", placed.columns)?;
        }
        function
            .check_count(arguments.len())
            .map_err(|message| CellError::new(FindingCode::WrongArity, placed.columns, message))?;
        let depth = deepest(arguments.iter().chain([&input]));
        make(Node::Call { function, input: input.into(), arguments }, columns, depth)
    }

    fn items(&mut self, closing: &'static str, opened: Columns) -> Result<(Vec<Expr>, u32), CellError> {
        let mut items = Vec::new();
        loop {
            if self.is_sign(closing) {
                return Ok((items, self.close(closing)?.to));
            }
            items.push(self.nested(opened, Self::ternary)?);
            if !self.skip_sign(",") {
                return Ok((items, self.close(closing)?.to));
            }
        }
    }

    fn negation(&mut self) -> Parsed {
        let Some(columns) = self.peek().map(|placed| placed.columns) else { return self.postfix() };
        if !self.skip_sign("-") {
            return self.postfix();
        }
        let inner = self.nested(columns, Self::negation)?;
        let (depth, columns) = (inner.depth, Columns { from: columns.from, to: inner.columns.to });
        make(Node::Negate(inner.into()), columns, depth)
    }

    fn postfix(&mut self) -> Parsed {
        let mut expr = self.primary()?;
        loop {
            let (step, to) = if self.skip_sign(".") {
                let placed = self.next("a field name")?;
                match placed.token {
                    Token::Name(name) => (Step::Name(name), placed.columns.to),
                    _ => return Err(unexpected(&placed, "a field name")),
                }
            } else if self.skip_sign("[") {
                let placed = self.next("a place in the list")?;
                let step = match &placed.token {
                    Token::Text(name) => Step::Name(name.clone()),
                    Token::Number(number) => match usize::try_from(*number) {
                        Ok(index) if number.scale() == 0 => Step::Index(index),
                        _ => return Err(unexpected(&placed, "a whole number, counted from 0")),
                    },
                    _ => return Err(unexpected(&placed, "a number or a name between quotes")),
                };
                (step, self.close("]")?.to)
            } else {
                return Ok(expr);
            };
            let columns = Columns { from: expr.columns.from, to };
            let depth = expr.depth;
            expr = make(Node::Member(expr.into(), step), columns, depth)?;
        }
    }

    fn primary(&mut self) -> Parsed {
        let placed = self.next("a value")?;
        let columns = placed.columns;
        let node = match &placed.token {
            Token::Number(number) => Node::Constant(Value::Number(*number)),
            Token::Text(text) => Node::Constant(Value::Text(text.clone())),
            Token::Name(name) => match name.as_str() {
                "true" | "True" => Node::Constant(Value::Bool(true)),
                "false" | "False" => Node::Constant(Value::Bool(false)),
                "none" | "None" => Node::Constant(Value::Empty),
                word if KEYWORDS.contains(&word) => return Err(unexpected(&placed, "a value")),
                word if self.is_sign("(") => {
                    let message = format!("a function stands behind its value: write value | {word}");
                    return Err(CellError::new(FindingCode::Syntax, columns, message));
                }
                word => Node::Variable(word.to_owned()),
            },
            Token::Sign("(") => {
                let mut inner = self.nested(columns, Self::ternary)?;
                let closed = self.close(")")?;
                inner.columns = Columns { from: columns.from, to: closed.to };
                return Ok(inner);
            }
            Token::Sign("[") => {
                let (items, to) = self.items("]", columns)?;
                let depth = deepest(items.iter());
                return make(Node::List(items), Columns { from: columns.from, to }, depth);
            }
            Token::Sign(_) => return Err(unexpected(&placed, "a value")),
        };
        make(node, columns, 0)
    }
}

fn binary(operator: Operator, left: Expr, right: Expr) -> Parsed {
    let columns = Columns { from: left.columns.from, to: right.columns.to };
    let depth = left.depth.max(right.depth);
    make(Node::Binary(operator, left.into(), right.into()), columns, depth)
}

fn make(node: Node, columns: Columns, below: usize) -> Parsed {
    if below >= limits::NESTING {
        return Err(too_deep(columns));
    }
    Ok(Expr { node, columns, depth: below + 1 })
}

fn deepest<'a>(below: impl Iterator<Item = &'a Expr>) -> usize {
    below.map(|expr| expr.depth).max().unwrap_or(0)
}

fn too_deep(columns: Columns) -> CellError {
    let message = format!("nested more than {} levels deep: use a let for a part of it", limits::NESTING);
    CellError::new(FindingCode::TooLarge, columns, message)
}

fn unexpected(placed: &Placed, wanted: &str) -> CellError {
    let found = match &placed.token {
        Token::Name(name) => name.clone(),
        Token::Number(number) => number.to_string(),
        Token::Text(_) => "a text".to_owned(),
        Token::Sign(sign) => (*sign).to_owned(),
    };
    CellError::new(FindingCode::Syntax, placed.columns, format!("«{found}» stands where {wanted} is expected"))
}
