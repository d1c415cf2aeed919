//! The page of a sweep: its table, how far the rows lie apart, and what a better row costs.

use serde_json::Value;

use super::svg::Chart;
use super::{escape, page, section};

const HEAD: &str = "<div class=\"wide\"><table><thead><tr><th>config</th><th>hidden</th><th>rate</th><th>batch</th><th>epochs</th>\
    <th>also</th><th>parameters</th><th>flash</th><th>instructions</th><th>validation %</th><th>test %</th><th>rank</th></tr></thead><tbody>\n";

/// The page of a sweep's `table.json`.
pub fn sweep(name: &str, table: &Value) -> String {
    let rows: &[Value] = table["rows"].as_array().map_or(&[], Vec::as_slice);
    let text = HEAD.to_string()
        + &rows.iter().map(row).collect::<String>()
        + "</tbody></table></div>\n<p>A rank followed by = marks a recipe whose mean lies within two standard errors of \
           the best one's. The best one, in bold, was picked by validation.</p>\n";
    let target = table["target"].as_str().unwrap_or_default();
    let text = text + &left_out(table, target);
    let plots = plots(rows, target);
    page(
        &format!("Sweep {name}"),
        &(section("table", "Table", &text) + &section("plots", "Pictures", &plots)),
    )
}

/// Mean and deviation over seeds, in percent.
fn percent(spread: &Value) -> Option<(f64, f64)> {
    let mean = 100.0 * spread["mean"].as_f64()?;
    Some((mean, 100.0 * spread["deviation"].as_f64().unwrap_or(0.0)))
}

/// A row of the table.
fn row(row: &Value) -> String {
    let shown = |spread: &Value| percent(spread).map_or("–".into(), |(m, d)| format!("{m:.2} ± {d:.2}"));
    let also = row["varied"].as_object().map_or(String::new(), |keys| {
        keys.iter().map(|(k, v)| format!("{k} {v}")).collect::<Vec<_>>().join(", ")
    });
    let best = row["rank"] == 1;
    let equal = if row["like_the_best"] == true && !best { " =" } else { "" };
    let cells = [
        escape(&row["hidden"].to_string()),
        format!("{:.5}", row["lr"].as_f64().unwrap_or(0.0)),
        row["batch"].to_string(),
        row["epochs"].to_string(),
        escape(&also),
        row["parameters"].to_string(),
        row["flash_bytes"].to_string(),
        row["instructions"].to_string(),
        shown(&row["validation"]),
        shown(&row["test"]),
        format!("{}{equal}", row["rank"]),
    ];
    format!(
        "<tr{}><th>{}</th><td>{}</td></tr>\n",
        if best { " class=\"best\"" } else { "" },
        row["config"],
        cells.join("</td><td>")
    )
}

/// The accuracies with their deviations, and against what they cost.
fn plots(rows: &[Value], target: &str) -> String {
    let points = |x: &dyn Fn(&Value) -> Option<f64>| -> Vec<_> {
        let point = |row: &Value| {
            let (mean, deviation) = percent(&row["validation"])?;
            Some((x(row)?, mean, deviation, row["config"].to_string()))
        };
        rows.iter().filter_map(point).collect()
    };
    let validation = points(&|row| row["config"].as_f64());
    let flash = points(&|row| Some(row["flash_bytes"].as_f64()? / 1024.0));
    let instructions = points(&|row| Some(row["instructions"].as_f64()? / 1000.0));
    let spread =
        Chart::points("Validation accuracy in percent by config, with the deviation over seeds", &validation);
    let pareto = |what: &str, points| {
        Chart::pareto(
            &format!("Validation accuracy in percent against {what} of an i8 file on {target}"),
            points,
        )
    };
    format!(
        "<div class=\"plots\">{}{}{}</div>\n",
        spread.finish("config"),
        pareto("the flash, file and code,", &flash).finish("KiB of flash"),
        pareto("the instructions for an image", &instructions).finish("thousand instructions")
    )
}

/// The recipes that do not fit the budget.
fn left_out(table: &Value, target: &str) -> String {
    let left_out = table["left_out"].as_array().map_or(&[][..], Vec::as_slice);
    if left_out.is_empty() {
        return String::new();
    }
    let items: String =
        left_out.iter().filter_map(Value::as_str).map(|what| format!("<li>{}</li>", escape(what))).collect();
    format!("<p>Over the budget on {} and left out:</p><ul>{items}</ul>", escape(target))
}
