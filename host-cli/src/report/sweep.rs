//! The page of a sweep: its table, how far the rows lie apart, and what a better row costs.

use std::fmt::Write;

use serde_json::Value;

use super::svg::Chart;
use super::{escape, page, section};

/// The page of a sweep's `table.json`.
pub fn sweep(name: &str, table: &Value) -> String {
    let rows: &[Value] = table["rows"].as_array().map_or(&[], Vec::as_slice);
    let percent = |spread: &Value| {
        let mean = 100.0 * spread["mean"].as_f64()?;
        Some((mean, 100.0 * spread["deviation"].as_f64().unwrap_or(0.0)))
    };
    let mut text = String::from(
        "<div class=\"wide\"><table><thead><tr><th>config</th><th>hidden</th><th>rate</th><th>batch</th><th>epochs</th>\
         <th>also</th><th>parameters</th><th>validation %</th><th>test %</th><th>rank</th></tr></thead><tbody>\n",
    );
    let (mut validation, mut cost) = (Vec::new(), Vec::new());
    for row in rows {
        let shown =
            |spread: &Value| percent(spread).map_or("–".into(), |(m, d)| format!("{m:.2} ± {d:.2}"));
        let also = row["varied"].as_object().map_or(String::new(), |keys| {
            keys.iter().map(|(k, v)| format!("{k} {v}")).collect::<Vec<_>>().join(", ")
        });
        let best = row["rank"] == 1;
        let equal = if row["like_the_best"] == true && !best { " =" } else { "" };
        let _ = writeln!(
            text,
            "<tr{}><th>{}</th><td>{}</td><td>{:.5}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}{equal}</td></tr>",
            if best { " class=\"best\"" } else { "" },
            row["config"],
            escape(&row["hidden"].to_string()),
            row["lr"].as_f64().unwrap_or(0.0),
            row["batch"],
            row["epochs"],
            escape(&also),
            row["parameters"],
            shown(&row["validation"]),
            shown(&row["test"]),
            row["rank"]
        );
        if let (Some((mean, deviation)), Some(config)) = (percent(&row["validation"]), row["config"].as_f64())
        {
            validation.push((config, mean, deviation, row["config"].to_string()));
            let kilobytes = row["parameters"].as_f64().unwrap_or(0.0) / 1000.0;
            cost.push((kilobytes, mean, deviation, row["config"].to_string()));
        }
    }
    text += "</tbody></table></div>\n<p>A rank followed by = marks a recipe whose mean lies within two standard errors of \
             the best one's. The best one, in bold, was picked by validation.</p>\n";
    let spread =
        Chart::points("Validation accuracy in percent by config, with the deviation over seeds", &validation);
    let pareto =
        Chart::points("Validation accuracy in percent against the network's parameters, in thousands", &cost);
    let plots = format!(
        "<div class=\"plots\">{}{}</div>\n",
        spread.finish("config"),
        pareto.finish("thousand parameters")
    );
    page(
        &format!("Sweep {name}"),
        &(section("table", "Table", &text) + &section("plots", "Pictures", &plots)),
    )
}
