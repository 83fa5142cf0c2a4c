//! Bodies: one list of blocks, written out as HTML and as text that say the same.

/// A piece of a body.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    Para(String),
    Link {
        text: String,
        url: String,
    },
    List(Vec<String>),
    Table(Vec<Vec<String>>),
    /// What an earlier message said, with its pictures.
    Quote(Vec<Block>),
    /// A picture by its address, `cid:…` or `media:…`.
    Picture(String),
}

/// The blocks as HTML, the way mail programs write it: no document frame, mixed quotes, entities.
pub(crate) fn html(blocks: &[Block]) -> String {
    blocks.iter().map(html_block).collect::<Vec<_>>().join("\n")
}

fn html_block(block: &Block) -> String {
    match block {
        Block::Para(text) => format!("<p>{}</p>", escape(text).replace('\n', "<br>")),
        Block::Link { text, url } => format!(
            "<p><a href=\"{}\" style='color:#03c'>{}</a></p>",
            escape(url),
            escape(text)
        ),
        Block::List(items) => {
            let items: String = items
                .iter()
                .map(|item| format!("<li>{}</li>", escape(item)))
                .collect();
            format!("<ul>{items}</ul>")
        }
        Block::Table(rows) => {
            let rows: String = rows
                .iter()
                .map(|row| {
                    let cells: String = row
                        .iter()
                        .map(|cell| format!("<td>{}</td>", escape(cell)))
                        .collect();
                    format!("<tr>{cells}</tr>")
                })
                .collect();
            format!("<table border=\"1\"><tbody>{rows}</tbody></table>")
        }
        Block::Quote(inner) => format!("<blockquote type=\"cite\">{}</blockquote>", html(inner)),
        Block::Picture(address) => format!(
            "<div><img src=\"{}\" width=\"64\" alt=\"\"></div>",
            escape(address)
        ),
    }
}

/// The blocks as text.
pub(crate) fn plain(blocks: &[Block]) -> String {
    let parts: Vec<String> = blocks
        .iter()
        .map(plain_block)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\n\n")
}

fn plain_block(block: &Block) -> String {
    match block {
        Block::Para(text) => text.clone(),
        Block::Link { text, url } => format!("{text} ({url})"),
        Block::List(items) => items
            .iter()
            .map(|item| format!("- {item}"))
            .collect::<Vec<_>>()
            .join("\n"),
        Block::Table(rows) => rows
            .iter()
            .map(|row| row.join(" "))
            .collect::<Vec<_>>()
            .join("\n"),
        Block::Quote(inner) => plain(inner)
            .lines()
            .map(|line| format!("> {line}"))
            .collect::<Vec<_>>()
            .join("\n"),
        Block::Picture(_) => String::new(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
