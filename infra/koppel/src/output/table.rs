//! Plain tables: columns as wide as their content, amounts to the right, long texts shortened when a terminal is narrow.

use super::style::{Colour, Style};

/// Widest table on a terminal.
const MAX_WIDTH: usize = 120;
/// No column is shortened below this.
const MIN_COLUMN: usize = 8;

/// How a column is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Text, to the left.
    Left,
    /// Numbers, to the right.
    Right,
    /// Text that may be shortened.
    Flexible,
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    heads: Vec<(&'static str, Column)>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        // One row is one line, whatever a shop put into a name.
        let text = text.into().replace(['\n', '\r', '\t'], " ");
        Self { text: text.chars().filter(|c| !c.is_control()).collect(), colour: None }
    }
}

impl Cell {
    /// A cell in a colour.
    pub fn coloured(text: impl Into<String>, colour: Option<Colour>) -> Self {
        Self { colour, ..Self::from(text.into()) }
    }
}

impl Table {
    /// A table with these headings.
    pub fn new(heads: &[(&'static str, Column)]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The text of the table. Columns without any content are left out; `fit` keeps it within a terminal.
    pub fn render(&self, style: Style, fit: bool) -> String {
        let shown: Vec<usize> = (0..self.heads.len()).filter(|&index| self.has_content(index)).collect();
        let mut widths: Vec<usize> = shown.iter().map(|&index| self.width(index)).collect();
        if fit {
            self.shorten(&shown, &mut widths);
        }
        let mut text = String::new();
        let heads: Vec<Cell> = self.heads.iter().map(|(head, _)| Cell::coloured(*head, Some(Colour::Bold))).collect();
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::new();
            for (&index, &width) in shown.iter().zip(&widths) {
                let cell = row.get(index).cloned().unwrap_or_default();
                let padded = pad(&cut(&cell.text, width), width, self.heads[index].1);
                line.push_str(&cell.colour.map_or_else(|| padded.clone(), |colour| style.paint(colour, &padded)));
                line.push_str("  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn has_content(&self, index: usize) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| row.get(index).is_some_and(|cell| !cell.text.is_empty()))
    }

    fn width(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.chars().count());
        cells.chain(std::iter::once(self.heads[index].0.chars().count())).max().unwrap_or(0)
    }

    /// Takes from the widest flexible column until the table fits.
    fn shorten(&self, shown: &[usize], widths: &mut [usize]) {
        loop {
            let total: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
            if total <= MAX_WIDTH {
                return;
            }
            let flexible = (0..shown.len()).filter(|&at| self.heads[shown[at]].1 == Column::Flexible);
            match flexible.filter(|&at| widths[at] > MIN_COLUMN).max_by_key(|&at| widths[at]) {
                Some(at) => widths[at] -= 1,
                None => return,
            }
        }
    }
}

/// Shortens with `…`.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn pad(text: &str, width: usize, column: Column) -> String {
    let space = " ".repeat(width.saturating_sub(text.chars().count()));
    if column == Column::Right { format!("{space}{text}") } else { format!("{text}{space}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_ones_are_left_out() {
        let mut table = Table::new(&[("order", Column::Left), ("reason", Column::Left), ("total", Column::Right)]);
        table.row(["23".into(), "".into(), "64.53".into()]);
        table.row(["104".into(), "".into(), "1995.00".into()]);
        assert_eq!(table.render(Style::default(), false), "order    total\n23       64.53\n104    1995.00\n");
    }

    #[test]
    fn a_long_name_is_shortened_to_fit_and_left_alone_in_a_pipe() {
        let mut table = Table::new(&[("name", Column::Flexible), ("total", Column::Right)]);
        table.row(["x".repeat(200).into(), "1.00".into()]);
        let fitted = table.render(Style::default(), true);
        assert!(fitted.lines().all(|line| line.chars().count() <= MAX_WIDTH) && fitted.contains('…'), "{fitted}");
        assert!(table.render(Style::default(), false).contains(&"x".repeat(200)));
    }

    #[test]
    fn a_name_cannot_break_the_lines_or_the_terminal() {
        let mut table = Table::new(&[("name", Column::Left)]);
        table.row(["a\nb\u{1b}[31mc".into()]);
        assert_eq!(table.render(Style::default(), false), "name\na b[31mc\n");
    }
}
