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
         <th>also</th><th>parameters</th><th>flash</th><th>instructions</th><th>validation %</th><th>test %</th><th>rank</th></tr></thead><tbody>\n",
    );
    let (mut validation, mut flash, mut instructions) = (Vec::new(), Vec::new(), Vec::new());
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
             <td>{}</td><td>{}</td><td>{}{equal}</td></tr>",
            if best { " class=\"best\"" } else { "" },
            row["config"],
            escape(&row["hidden"].to_string()),
            row["lr"].as_f64().unwrap_or(0.0),
            row["batch"],
            row["epochs"],
            escape(&also),
            row["parameters"],
            row["flash_bytes"],
            row["instructions"],
            shown(&row["validation"]),
            shown(&row["test"]),
            row["rank"]
        );
        if let (Some((mean, deviation)), Some(config)) = (percent(&row["validation"]), row["config"].as_f64())
        {
            let point = |x: f64| (x, mean, deviation, row["config"].to_string());
            validation.push(point(config));
            flash.extend(row["flash_bytes"].as_f64().map(|bytes| point(bytes / 1024.0)));
            instructions.extend(row["instructions"].as_f64().map(|n| point(n / 1000.0)));
        }
    }
    text += "</tbody></table></div>\n<p>A rank followed by = marks a recipe whose mean lies within two standard errors of \
             the best one's. The best one, in bold, was picked by validation.</p>\n";
    let spread =
        Chart::points("Validation accuracy in percent by config, with the deviation over seeds", &validation);
    let target = table["target"].as_str().unwrap_or_default();
    let pareto = |what: &str, points| {
        Chart::pareto(
            &format!("Validation accuracy in percent against {what} of an i8 file on {target}"),
            points,
        )
    };
    let plots = format!(
        "<div class=\"plots\">{}{}{}</div>\n",
        spread.finish("config"),
        pareto("the flash, file and code,", &flash).finish("KiB of flash"),
        pareto("the instructions for an image", &instructions).finish("thousand instructions")
    );
    let left_out = table["left_out"].as_array().map_or(&[][..], Vec::as_slice);
    if !left_out.is_empty() {
        let items =
            left_out.iter().filter_map(Value::as_str).map(|what| format!("<li>{}</li>", escape(what)));
        let _ = writeln!(
            text,
            "<p>Over the budget on {} and left out:</p><ul>{}</ul>",
            escape(target),
            items.collect::<String>()
        );
    }
    page(
        &format!("Sweep {name}"),
        &(section("table", "Table", &text) + &section("plots", "Pictures", &plots)),
    )
}
