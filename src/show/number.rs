//! Numbers as people read them.

/// A whole number with thousands separated: `1,234,567`.
pub(crate) fn grouped(value: impl Into<u64>) -> String {
    group(&value.into().to_string())
}

/// Commas between groups of three digits, counted from the right.
pub(crate) fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with `decimals` digits behind the point and thousands separated: `−1,234.50`. NaN is `–`.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return "–".to_string();
    }
    let sign = if value < 0.0 { "−" } else { "" };
    if value.is_infinite() {
        return format!("{sign}∞");
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if text.bytes().all(|b| matches!(b, b'0' | b'.')) { "" } else { sign };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", group(whole))
}

/// A number as a power of ten, `1.5×10⁻⁷`, with `decimals` digits in front of the power.
pub(crate) fn scientific(value: f64, decimals: usize) -> String {
    if !value.is_finite() || value == 0.0 {
        return decimal(value, 0);
    }
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let raised = exponent.chars().map(|c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        // The superscripts of 0 and of 4 to 9 follow each other in Unicode.
        digit => char::from_u32(0x2070 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
    });
    let raised: String = raised.collect();
    match mantissa.replace('-', "−").as_str() {
        "1" => format!("10{raised}"),
        "−1" => format!("−10{raised}"),
        mantissa => format!("{mantissa}×10{raised}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_print() {
        assert_eq!(grouped(1_234_567u32), "1,234,567");
        assert_eq!(grouped(999u32), "999");
        assert_eq!(decimal(-1234.5, 2), "−1,234.50");
        assert_eq!(decimal(-0.001, 2), "0.00");
        assert_eq!(decimal(f64::NAN, 2), "–");
        assert_eq!(decimal(f64::NEG_INFINITY, 2), "−∞");
        assert_eq!(decimal(999_999.999, 2), "1,000,000.00");
        assert_eq!(scientific(1e-7, 0), "10⁻⁷");
        assert_eq!(scientific(-2.5e12, 1), "−2.5×10¹²");
        assert_eq!(scientific(4.56e-30, 1), "4.6×10⁻³⁰");
    }
}
