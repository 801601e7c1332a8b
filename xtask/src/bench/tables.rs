//! From the rows that the benches write to sections of `benches/results.md`. Each begins with a title and an empty line;
//! machine, versions and command are put below the title.

use crate::Result;
use serde_json::Value;
use std::fmt::Write;

/// Rows of a bench per number of threads.
pub(super) type PerThreads = [(usize, Value)];

/// One section for every operation.
pub fn operations(measured: &PerThreads) -> Result<String> {
    let mut text = "## Operations beside PyTorch\n\n\
        Milliseconds of wall time, forward / forward and backward: medians over rounds in which the two take turns, and \
        the medians of the ratios. Below 1 tachie is faster.\n"
        .to_string();
    for (threads, rows) in measured {
        text += &format!("\n{}:\n\n| operation | tachie | PyTorch | ratio |\n|---|---:|---:|---:|\n", many(*threads));
        for row in list(&rows["rows"])? {
            let [ours, theirs, ratio] = [pair(row, "tachie")?, pair(row, "pytorch")?, pair(row, "ratio")?];
            text += &format!("| {} | {ours} | {theirs} | {ratio} |\n", name(row, "name")?);
        }
        text +=
            "\n| group, forward and backward | geometric mean | wanted | worst | wanted |\n|---|---:|---:|---:|---:|\n";
        for group in list(&rows["groups"])? {
            let (mean, worst) = (number(group, &["mean"])?, number(group, &["worst"])?);
            let wanted = |what: &str| group[what].as_f64().map_or(String::new(), |value| format!("≤ {value}"));
            let (of_mean, of_worst) = (wanted("wanted_mean"), wanted("wanted_worst"));
            text += &format!("| {} | {mean:.2} | {of_mean} | {worst:.2} | {of_worst} |\n", name(group, "group")?);
        }
    }
    Ok(text)
}

/// One section for the training steps.
pub fn steps(measured: &PerThreads) -> Result<String> {
    let mut text = "## Training steps beside PyTorch\n\n\
        Every player, gradient penalty, Adam, running average; milliseconds of wall time, medians over rounds in which the \
        two take turns. Below 1 tachie is faster; in brackets the smallest and the largest ratio of a round. Before, both \
        make one step from the same weights, batch and noise: the last columns say how far losses (relatively) and moved \
        weights (as a share of how far they moved) are apart after it. Wanted with two threads: at most 0.95 for \
        make-girls paper, dcgan paper, psgan-64, stylegan-64, anime2clothing (j), pix2pix, animegan and stargan at 64 px. \
        psgan-64 and stylegan-64 have 64 channels up to 32 px and 32 at 64 px, outside of fades; the last four have their \
        papers' channels, the editors their five moves of the discriminator, too.\n"
        .to_string();
    for (threads, rows) in measured {
        let head = "| model | tachie | PyTorch | ratio | losses | weights |\n|---|---:|---:|---:|---:|---:|";
        text += &format!("\n{}:\n\n{head}\n", many(*threads));
        for row in list(rows)? {
            let (ours, theirs) = (number(row, &["tachie"])?, number(row, &["pytorch"])?);
            let ratios: Vec<f64> = list(&row["ratios"])?.iter().filter_map(Value::as_f64).collect();
            let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let high = ratios.iter().copied().fold(0.0, f64::max);
            let apart = |what| number(row, &["agreement", what]);
            let (losses, weights) = (apart("losses")?, apart("weights")?);
            let (name, ratio) = (name(row, "name")?, number(row, &["ratio"])?);
            let _ = writeln!(
                text,
                "| {name} | {ours:.0} | {theirs:.0} | {ratio:.2} ({low:.2} to {high:.2}) | {losses:.0e} | {weights:.0e} |"
            );
        }
    }
    Ok(text)
}

/// One section for peak memory: steps and operations, then the paper's largest network.
pub fn memory(steps: &Value, operations: &Value, paper: &Value) -> Result<String> {
    let mut text = "## Peak memory beside PyTorch\n\n\
        MiB of resident memory, each side in a process of its own with two threads: the peak, and in brackets its growth \
        since libraries and threads were there (after a first small convolution) without the code that was read \
        meanwhile. The ratio is that of the growths; below 1 tachie needs less. Wanted: at most 1.\n\n\
        | what | tachie | PyTorch | ratio |\n|---|---:|---:|---:|\n"
        .to_string();
    for row in list(steps)?.iter().chain(list(operations)?) {
        let mib = |side: &str| -> Result<String> {
            let mib = |what| Ok::<f64, String>(number(row, &[side, what])? / f64::from(1 << 20));
            Ok(format!("{:.0} ({:+.0})", mib("absolute")?, mib("growth")?))
        };
        let (name, ratio) = (name(row, "name")?, number(row, &["ratio"])?);
        text += &format!("| {name} | {} | {} | {ratio:.2} |\n", mib("tachie")?, mib("pytorch")?);
    }
    text += "\n\
        PSGAN as the paper has it, 1,024 px, two pictures, two threads, while the last resolution fades in; GiB. Networks: \
        weights and running averages, in a step Adam's moments too. A picture: half of what the peak has above the networks, \
        that is of activations, gradients and working memory. Wanted: a peak of at most 16.\n\n\
        | what | peak | networks | a picture | seconds |\n|---|---:|---:|---:|---:|\n";
    for row in list(paper)? {
        let gib = |path: &[&str]| Ok::<f64, String>(number(row, path)? / f64::from(1 << 30));
        let (peak, networks, picture) = (gib(&["peak", "absolute"])?, gib(&["networks"])?, gib(&["picture"])?);
        let (name, seconds) = (name(row, "name")?, number(row, &["seconds"])?);
        text += &format!("| {name} | {peak:.2} | {networks:.2} | {picture:.2} | {seconds:.1} |\n");
    }
    Ok(text)
}

/// One section for the data path.
pub fn data(rows: &Value) -> Result<String> {
    let mut text = "## Data path beside torchvision\n\n\
        Pictures a second from PNG files to training batches of 64 (decode, mirror at random, collate), two loading \
        threads beside a DataLoader with two workers. Above 1 tachie is faster. tachie decodes when a data set is opened; \
        a DataLoader of files decodes in every epoch.\n\n\
        | what | tachie | torchvision | ratio |\n|---|---:|---:|---:|\n"
        .to_string();
    for row in list(rows)? {
        let (ours, theirs, ratio) = (number(row, &["tachie"])?, number(row, &["pytorch"])?, number(row, &["ratio"])?);
        text += &format!("| {} | {ours:.0} | {theirs:.0} | {ratio:.2} |\n", name(row, "name")?);
    }
    Ok(text)
}

/// One section for scaling; the figures are in `folder`.
pub fn scaling(rows: &Value, folder: &str) -> Result<String> {
    let mut text = format!(
        "## Scaling beside PyTorch\n\n\
        Milliseconds of a training step (make-girls tiny: 64 px, batch 16, 24 channels, here with a penalty in every \
        step) and of a 3×3 convolution forward and backward (16 pictures of 64 px, 64 channels), with one number changed \
        at a time and two threads where threads are not that number. Below 1 tachie is faster. \
        Figures: `{folder}/scaling-step.png`, `{folder}/scaling-convolution.png`; the same numbers: \
        `{folder}/scaling.csv`.\n\n\
        | what | axis | value | tachie | PyTorch | ratio |\n|---|---|---:|---:|---:|---:|\n"
    );
    for row in list(rows)? {
        let (ours, theirs, ratio) = (number(row, &["tachie"])?, number(row, &["pytorch"])?, number(row, &["ratio"])?);
        let (what, axis, value) = (name(row, "what")?, name(row, "axis")?, number(row, &["value"])?);
        text += &format!("| {what} | {axis} | {value:.0} | {ours:.1} | {theirs:.1} | {ratio:.2} |\n");
    }
    Ok(text)
}

/// One section for convolutions beside oneDNN.
pub fn onednn(measured: &PerThreads) -> Result<String> {
    let mut text = "## Convolutions beside oneDNN\n\n\
        Milliseconds of wall time, forward / forward and backward: medians over rounds in which all take turns; in brackets \
        the median of tachie's ratio to it, forward and backward (below 1 tachie is faster), and how often a pass forward \
        and backward reorders pictures or gradients. oneDNN is that of PyTorch, and says itself what it ran: with tensors as \
        tachie has them (plain), in channels-last order, and with pictures and gradients staying in its own blocked layout. \
        Weights are reordered in every pass, as training has to.\n"
        .to_string();
    for (threads, rows) in measured {
        let head = "| convolution | tachie | oneDNN, plain | channels last | blocked |\n|---|---:|---:|---:|---:|\n";
        text += &format!("\n{}:\n\n{head}", many(*threads));
        let rows = list(rows)?;
        let mut logarithms: Vec<f64> = Vec::new();
        for row in rows {
            text += &format!("| {} | {} |", name(row, "name")?, pair(row, "tachie")?);
            let layouts = list(&row["layouts"])?;
            logarithms.resize(layouts.len(), 0.0);
            for (layout, logarithm) in layouts.iter().zip(&mut logarithms) {
                let (ratio, reorders) = (number(layout, &["ratio", "both"])?, number(layout, &["reorders"])?);
                *logarithm += ratio.ln();
                text += &format!(" {} ({ratio:.2}, {reorders:.0}) |", pair(layout, "time")?);
            }
            text += "\n";
        }
        let means = logarithms.iter().map(|sum| format!(" {:.2} |", (sum / rows.len() as f64).exp()));
        text += &format!("| geometric mean of the ratios | |{}\n", means.collect::<String>());
    }
    Ok(text)
}

/// Two times of a row, `1.23 / 4.56`.
fn pair(row: &Value, of: &str) -> Result<String> {
    Ok(format!("{:.2} / {:.2}", number(row, &[of, "forward"])?, number(row, &[of, "both"])?))
}

pub(super) fn many(threads: usize) -> String {
    if threads == 1 { "One thread".into() } else { format!("{threads} threads") }
}

pub(super) fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().ok_or_else(|| format!("a bench wrote {value}, expected a list of rows"))
}

pub(super) fn name<'a>(row: &'a Value, key: &str) -> Result<&'a str> {
    row[key].as_str().ok_or_else(|| format!("a bench wrote the row {row}, expected a text `{key}` in it"))
}

pub(super) fn number(row: &Value, path: &[&str]) -> Result<f64> {
    let value = path.iter().fold(row, |value, key| &value[key]);
    value.as_f64().ok_or_else(|| format!("a bench wrote the row {row}, expected a number `{}` in it", path.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_stand_beside_what_is_wanted() {
        let time = |forward: f64, both: f64| json!({"forward": forward, "both": both});
        let row = json!({"group": "norms", "name": "batch norm", "tachie": time(1.0, 2.0), "pytorch": time(2.0, 2.5),
            "ratio": time(0.5, 0.8)});
        let groups = json!([{"group": "norms", "mean": 0.8, "worst": 0.8, "wanted_worst": 1.2}]);
        let text = operations(&[(2, json!({"rows": [row], "groups": groups}))]).unwrap();
        assert!(text.contains("\n2 threads:\n\n| operation |"), "{text}");
        assert!(text.contains("\n| batch norm | 1.00 / 2.00 | 2.00 / 2.50 | 0.50 / 0.80 |\n"), "{text}");
        assert!(text.contains("\n| norms | 0.80 |  | 0.80 | ≤ 1.2 |\n"), "{text}");
    }

    #[test]
    fn steps_say_how_far_ratios_and_results_are_apart() {
        let row = json!({"name": "tiny", "tachie": 90.4, "pytorch": 100.0, "ratio": 0.9, "ratios": [1.1, 0.9, 0.85],
            "agreement": {"losses": 2e-7, "weights": 0.05}});
        let text = steps(&[(1, json!([row]))]).unwrap();
        assert!(text.contains("One thread:"), "{text}");
        assert!(text.contains("\n| tiny | 90 | 100 | 0.90 (0.85 to 1.10) | 2e-7 | 5e-2 |\n"), "{text}");
    }

    #[test]
    fn memory_shows_peak_and_growth() {
        let side = |absolute: u64, growth: u64| json!({"absolute": absolute << 20, "growth": growth << 20});
        let row = |name: &str| json!({"name": name, "tachie": side(70, 60), "pytorch": side(600, 120), "ratio": 0.5});
        let large = json!([{"name": "psgan", "peak": {"absolute": 5_u64 << 30, "growth": 4_u64 << 30},
            "networks": 1 << 30, "picture": 3 << 29, "seconds": 12.34}]);
        let text = memory(&json!([row("step")]), &json!([row("relu")]), &large).unwrap();
        assert!(text.contains("\n| psgan | 5.00 | 1.00 | 1.50 | 12.3 |\n"), "{text}");
        assert!(text.contains("\n| step | 70 (+60) | 600 (+120) | 0.50 |\n| relu | 70 (+60) |"), "{text}");
    }

    #[test]
    fn layouts_of_onednn_stand_side_by_side() {
        let time = |forward: f64, both: f64| json!({"forward": forward, "both": both});
        let layout =
            |ratio: f64| json!({"layout": "plain", "time": time(1.0, 4.0), "ratio": time(0.1, ratio), "reorders": 6});
        let row =
            |ratio: f64| json!({"name": "conv", "tachie": time(0.5, 2.0), "layouts": [layout(ratio), layout(1.0)]});
        let text = onednn(&[(1, json!([row(0.5), row(2.0)]))]).unwrap();
        assert!(text.contains("\n| conv | 0.50 / 2.00 | 1.00 / 4.00 (0.50, 6) | 1.00 / 4.00 (1.00, 6) |\n"), "{text}");
        assert!(text.ends_with("| geometric mean of the ratios | | 1.00 | 1.00 |\n"), "{text}");
    }

    #[test]
    fn a_row_without_its_numbers_is_named() {
        let error = data(&json!([{"name": "64 px", "tachie": 1.0}])).unwrap_err();
        assert!(error.contains("64 px") && error.contains("`pytorch`"), "{error}");
        assert!(scaling(&json!({}), "out").unwrap_err().contains("list of rows"));
    }
}
