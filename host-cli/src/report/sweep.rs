//! The page of a sweep: its table, the spread of the accuracies, and accuracy against cost.

use serde_json::Value;

use super::svg::Chart;
use super::{escape, page, section};

/// The page of a sweep's `table.json`.
pub fn sweep(name: &str, table: &Value) -> String {
    let rows: &[Value] = table["rows"].as_array().map_or(&[], Vec::as_slice);
    let seeds = table["seeds"].as_array().map_or(1, Vec::len);
    let note = if seeds > 1 {
        "A rank followed by = marks a recipe whose mean is within two standard errors of the best one's. "
    } else {
        ""
    };
    let target = table["target"].as_str().unwrap_or_default();
    let text = format!(
        "{}<p>{note}The best recipe, in bold, has the highest validation accuracy.</p>\n{}",
        html(rows),
        left_out(table, target)
    );
    let plots = plots(rows, target, seeds);
    page(
        &format!("Sweep {name}"),
        &(section("table", "Table", &text) + &section("plots", "Accuracy and cost", &plots)),
    )
}

/// The table, with a column for the other keys that the sweep varies, if it does.
fn html(rows: &[Value]) -> String {
    let varies = rows.iter().any(|row| row["varied"].as_object().is_some_and(|keys| !keys.is_empty()));
    let other_settings = if varies { "<th>other settings</th>" } else { "" };
    let rows: String = rows.iter().map(|of| row(of, varies)).collect();
    format!(
        "<div class=\"wide\"><table><thead><tr><th>config</th><th>hidden</th><th>learning rate</th><th>batch</th>\
         <th>epochs</th>{other_settings}<th>parameters</th><th>flash</th><th>instructions</th><th>validation %</th>\
         <th>test %</th><th>rank</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// Mean and standard deviation over seeds, in percent.
fn percent(spread: &Value) -> Option<(f64, f64)> {
    let mean = 100.0 * spread["mean"].as_f64()?;
    Some((mean, 100.0 * spread["deviation"].as_f64().unwrap_or(0.0)))
}

/// A row of the table; one seed has no standard deviation.
fn row(row: &Value, varies: bool) -> String {
    let accuracy = |spread: &Value| match percent(spread) {
        None => "–".into(),
        Some((mean, _)) if spread["count"] == 1 => format!("{mean:.2}"),
        Some((mean, standard_deviation)) => format!("{mean:.2} ± {standard_deviation:.2}"),
    };
    let other_settings = row["varied"].as_object().map_or(String::new(), |keys| {
        keys.iter().map(|(k, v)| format!("{k} {v}")).collect::<Vec<_>>().join(", ")
    });
    let best = row["rank"] == 1;
    let equal = if row["like_the_best"] == true && !best { " =" } else { "" };
    let mut cells: Vec<String> =
        ["hidden", "lr", "batch", "epochs"].map(|key| escape(&row[key].to_string())).into();
    cells.extend(varies.then(|| escape(&other_settings)));
    cells.extend([
        row["parameters"].to_string(),
        row["flash_bytes"].to_string(),
        row["instructions"].to_string(),
        accuracy(&row["validation"]),
        accuracy(&row["test"]),
        format!("{}{equal}", row["rank"]),
    ]);
    format!(
        "<tr{}><th>{}</th><td>{}</td></tr>\n",
        if best { " class=\"best\"" } else { "" },
        row["config"],
        cells.join("</td><td>")
    )
}

/// The accuracies with their standard deviations, and against flash and instructions.
fn plots(rows: &[Value], target: &str, seeds: usize) -> String {
    let points = |x: &dyn Fn(&Value) -> Option<f64>| -> Vec<_> {
        let point = |row: &Value| {
            let (mean, standard_deviation) = percent(&row["validation"])?;
            Some((x(row)?, mean, standard_deviation, row["config"].to_string()))
        };
        rows.iter().filter_map(point).collect()
    };
    let validation = points(&|row| row["config"].as_f64());
    let flash = points(&|row| Some(row["flash_bytes"].as_f64()? / 1024.0));
    let instructions = points(&|row| Some(row["instructions"].as_f64()? / 1000.0));
    let error_bars = if seeds > 1 { ", with the standard deviation over seeds" } else { "" };
    let spread = Chart::points(&format!("Validation accuracy in percent by config{error_bars}"), &validation);
    let pareto = |cost: &str, points| {
        Chart::pareto(
            &format!("Validation accuracy in percent against {cost} of an i8 file on {target}"),
            points,
        )
    };
    format!(
        "<div class=\"plots\">{}{}{}</div>\n",
        spread.finish("config"),
        pareto("the flash (file and code)", &flash).finish("KiB of flash"),
        pareto("the instructions per image", &instructions).finish("thousand instructions")
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
    format!("<p>Left out, since they exceed the budget on {}:</p><ul>{items}</ul>", escape(target))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::sweep;

    /// The page of a sweep with such seeds, whose rows also vary `varied`.
    fn page(seeds: &[u64], varied: &serde_json::Value) -> String {
        let spread = json!({"mean": 0.9, "deviation": 0.01, "count": seeds.len()});
        let row = |n: usize| {
            json!({"config": n, "hidden": [16], "lr": 0.1, "batch": 64, "epochs": 5, "varied": varied, "parameters": 1,
                "flash_bytes": 1000 * n, "instructions": 2000 * n, "validation": spread, "rank": n,
                "like_the_best": true, "test": null})
        };
        sweep("s", &json!({"rows": [row(1), row(2)], "seeds": seeds, "target": "m4", "left_out": []}))
    }

    #[test]
    fn one_seed_has_no_standard_deviation() {
        let (one, two) = (page(&[1], &json!({})), page(&[1, 2], &json!({})));
        assert!(
            one.contains("<td>90.00</td>") && !one.contains('±') && !one.contains("standard errors"),
            "{one}"
        );
        assert!(two.contains("<td>90.00 ± 1.00</td>") && two.contains("standard errors"), "{two}");
        assert!(two.contains("<td>2 =</td>") && two.contains("<td>0.1</td>"), "{two}");
    }

    #[test]
    fn other_settings_have_a_column() {
        assert!(!page(&[1], &json!({})).contains("other settings"));
        let page = page(&[1], &json!({"dropout": 0.1}));
        assert!(page.contains("<th>other settings</th>") && page.contains("<td>dropout 0.1</td>"), "{page}");
        let columns = page.matches("<th>").count() - 2;
        assert_eq!(page.matches("<td>").count(), 2 * (columns - 1), "{page}");
    }
}
