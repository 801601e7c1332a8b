//! Sections of `benches/results.md` for metrics and their networks: a table for each number of threads.

use super::tables::{PerThreads, list, many, name, number};
use crate::Result;
use serde_json::Value;

/// One section for the networks of metrics.
pub fn features(measured: &PerThreads) -> Result<String> {
    let text = "## Networks of metrics beside PyTorch\n\n\
        Milliseconds a picture of a forward pass, wall time and in brackets processor time: medians over rounds in which \
        the two take turns, and the medians of the ratios. Below 1 tachie is faster; wanted: at most 1.\n";
    tables(text, ["network", "PyTorch"], measured, false)
}

/// One section for the metrics.
pub fn metrics(measured: &PerThreads) -> Result<String> {
    let text = "## Metrics beside the programs that everybody measures with\n\n\
        Milliseconds of wall time and in brackets of processor time, on the same numbers: medians over rounds in which \
        the two take turns, and the medians of the ratios. Below 1 tachie is faster. The Fréchet distance stands beside \
        pytorch-fid (SciPy's `sqrtm`), t-SNE (1,000 iterations) beside openTSNE, PSNR and SSIM beside scikit-image, \
        MS-SSIM beside torchmetrics, KID and precision beside torch-fidelity (in f32, tachie in f64), the sliced \
        Wasserstein distance beside NumPy. The last column is what both found; of t-SNE the Kullback-Leibler \
        divergence, of which less is better; of the sliced Wasserstein distance patches and directions are drawn \
        differently.\n";
    tables(text, ["metric", "the other"], measured, true)
}

fn tables(text: &str, [what, other]: [&str; 2], measured: &PerThreads, found: bool) -> Result<String> {
    let mut text = text.to_string();
    let (title, line) = if found { (" found |", "---:|") } else { ("", "") };
    for (threads, rows) in measured {
        text += &format!("\n{}:\n\n| {what} | tachie | {other} | ratio | wanted |{title}\n", many(*threads));
        text += &format!("|---|---:|---:|---:|---:|{line}\n");
        for row in list(rows)? {
            let [ours, theirs] = [time(row, "tachie")?, time(row, "other")?];
            let ratio = ["wall", "processor"].map(|part| number(row, &["ratio", part]));
            let [wall, processor] = ratio;
            let wanted = row["wanted"].as_f64().map_or(String::new(), |wanted| format!("≤ {wanted}"));
            let name = name(row, "name")?;
            text += &format!("| {name} | {ours} | {theirs} | {:.2} ({:.2}) | {wanted} |", wall?, processor?);
            if found {
                let numbers: Vec<f64> = list(&row["found"])?.iter().filter_map(Value::as_f64).collect();
                let numbers: Vec<String> = numbers.into_iter().map(significant).collect();
                text += &format!(" {} |", numbers.join(", "));
            }
            text += "\n";
        }
    }
    Ok(text)
}

fn time(row: &Value, side: &str) -> Result<String> {
    let [wall, processor] = ["wall", "processor"].map(|part| number(row, &[side, part]));
    let (wall, processor) = (wall?, processor?);
    let digits = if wall < 1000.0 { 1 } else { 0 };
    Ok(format!("{wall:.digits$} ({processor:.digits$})"))
}

/// Seven digits.
fn significant(number: f64) -> String {
    let before = number.abs().log10().floor().clamp(-9.0, 6.0) as i32;
    format!("{number:.*}", (6 - before) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row() -> Value {
        let time = |wall: f64| json!({"wall": wall, "processor": 2.0 * wall});
        json!({"name": "SSIM", "tachie": time(12.345), "other": time(1234.5), "ratio": time(0.01), "wanted": 0.5,
            "found": [0.956_789_012, 679.103_145_27]})
    }

    #[test]
    fn metrics_stand_beside_what_is_wanted_and_found() {
        let text = metrics(&[(2, json!([row()]))]).unwrap();
        assert!(text.contains("\n2 threads:\n\n| metric | tachie | the other | ratio | wanted | found |\n"), "{text}");
        let expected = "\n| SSIM | 12.3 (24.7) | 1234 (2469) | 0.01 (0.02) | ≤ 0.5 | 0.9567890, 679.1031 |\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn networks_have_times_only_and_a_missing_side_is_named() {
        let text = features(&[(1, json!([row()]))]).unwrap();
        assert!(text.contains("\n| SSIM | 12.3 (24.7) | 1234 (2469) | 0.01 (0.02) | ≤ 0.5 |\n"), "{text}");
        let error =
            features(&[(1, json!([{"name": "alone", "tachie": {"wall": 1.0, "processor": 1.0}}]))]).unwrap_err();
        assert!(error.contains("alone") && error.contains("other.wall"), "{error}");
    }
}
