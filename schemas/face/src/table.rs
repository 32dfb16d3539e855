//! Tables for a terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::{Look, SafeText};

/// Characters of one cell.
const CELL: usize = 400;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub heading: &'static str,
    /// Whether its cells are numbers.
    pub numbers: bool,
}

impl Column {
    /// A column of text.
    pub const fn text(heading: &'static str) -> Self {
        Self { heading, numbers: false }
    }

    /// A column of numbers, aligned to the right.
    pub const fn numbers(heading: &'static str) -> Self {
        Self { heading, numbers: true }
    }
}

/// A table without lines, as wide as it needs to be and no wider than the look allows; ends with a line break. Cells
/// are cleaned.
pub fn render(
    columns: &[Column],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = impl AsRef<str>>>,
    look: Look,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(look.width).unwrap_or(u16::MAX));
    table.set_header(columns.iter().map(|column| column.heading));
    for row in rows {
        let cells: Vec<String> =
            row.into_iter().map(|cell| SafeText::line(cell.as_ref(), CELL).to_string()).collect();
        table.add_row(cells);
    }
    for (index, column) in columns.iter().enumerate() {
        if let Some(shown) = table.column_mut(index) {
            shown.set_padding((0, 2));
            if column.numbers {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_cells_are_clean() {
        let columns = [Column::text("step"), Column::numbers("minutes")];
        let text = render(&columns, [["drain", "5"], ["up\u{1b}[31mdate\n", "120"]], Look::PLAIN);
        assert_eq!(text, "step     minutes\ndrain          5\nupdate       120\n");
    }

    #[test]
    fn wide_cells_wrap() {
        let look = Look { width: 30, ..Look::PLAIN };
        let text = render(&[Column::text("why")], [["a b c d e f g h i j k l m n o p q r s t u v w"]], look);
        assert!(text.lines().count() > 2, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
    }
}
