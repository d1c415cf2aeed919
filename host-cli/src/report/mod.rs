//! The report of a run or a sweep: one self-contained HTML page without network access or scripts.
//!
//! Charts are SVG, images are embedded PNG, each with an alternative text. The colours are those of Okabe and Ito, which
//! colour-blind people can distinguish.

mod classes;
mod context;
mod curves;
mod examples;
mod features;
mod importance;
mod labels;
mod picture;
mod quantized;
mod regression;
mod run;
mod scores;
mod summary;
mod svg;
mod sweep;

pub use run::run;
pub use sweep::sweep;

/// Okabe and Ito's blue, orange and green, with lighter variants for a dark page.
const COLOURS: [&str; 3] = ["var(--blue)", "var(--orange)", "var(--green)"];

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#f4f4f4;--tick:#ddd;--mark:#666;--blue:#0072b2;\
--orange:#d55e00;--green:#009e73}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e4e4;--paper:#181818;--soft:#262626;--tick:#3c3c3c;--mark:#a0a0a0;\
--blue:#56b4e9;--orange:#f0893e;--green:#2fbf94}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;max-width:64rem;\
padding:1rem;overflow-wrap:break-word}h1{font-size:1.6rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2rem}svg{width:100%;height:auto;max-width:40rem;\
display:block}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}table{border-collapse:collapse;font-size:.85rem}\
th,td{padding:.25rem .5rem;text-align:right}th:first-child{text-align:left}.wide{overflow-x:auto}\
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(6.5rem,1fr));gap:.75rem}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem}\
figure{margin:0}figcaption{font-size:.8rem;max-width:40rem}img{image-rendering:pixelated;height:auto}.mistake img{width:5.25rem}\
.weights img{width:100%;max-width:40rem}.plots{align-items:start}\
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(9.5rem,100%),1fr));gap:.75rem;margin:1rem 0}\
.facts div{background:var(--soft);padding:.5rem .75rem}.facts dt,.facts small{font-size:.8rem;color:var(--ink)}\
.facts dd{margin:0;font-size:1.25rem;line-height:1.3;overflow-wrap:anywhere}.facts small{display:block}\
.bars{width:100%;max-width:40rem}.bars th{font-weight:normal;overflow-wrap:anywhere;min-width:6rem;max-width:14rem}\
.bars td{white-space:nowrap}.bars td.bar{width:60%}.bar div{background:var(--blue);height:.9rem;min-width:1px}\
@media(max-width:30rem){svg text{font-size:15px}.bars td{white-space:normal}.bars td.bar{min-width:6rem}}pre{overflow-x:auto;background:var(--soft);padding:.75rem}\
tr.best{font-weight:bold}";

/// An HTML page of the given sections.
fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{body}</body></html>\n"
    )
}

/// A section with a heading and an id.
fn section(id: &str, heading: &str, body: &str) -> String {
    format!("<section id=\"{id}\"><h2>{}</h2>\n{body}</section>\n", escape(heading))
}

/// A table that scrolls where it is wider than the screen; the first cell of a row names it. Escapes every cell.
fn table(header: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let cells = |tag: &str, cells: &[String]| -> String {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect()
    };
    let mut text =
        format!("<div class=\"wide\"><table><thead><tr>{}</tr></thead><tbody>\n", cells("th", header));
    for row in rows {
        let (name, rest) = row.split_at(1.min(row.len()));
        text += &format!("<tr>{}{}</tr>\n", cells("th", name), cells("td", rest));
    }
    text + "</tbody></table></div>\n"
}

/// A number with four significant digits, an exponent where it would be long.
fn number(x: f64) -> String {
    let rounded: f64 = format!("{x:.3e}").parse().unwrap_or(x);
    let magnitude = rounded.abs();
    if magnitude != 0.0 && !(1e-4..1e7).contains(&magnitude) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

/// A fraction in percent.
fn percent(fraction: f64) -> String {
    format!("{:.2}\u{a0}%", 100.0 * fraction)
}

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A background for a fraction of 0 to 1, and a text colour that is readable on it.
fn shade(fraction: f64) -> String {
    let text = if fraction > 0.5 { "#fff" } else { "inherit" };
    format!("style=\"background:rgba(0,114,178,{:.2});color:{text}\"", fraction.sqrt())
}
