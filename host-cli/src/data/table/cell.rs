//! One cell: a number, text, or missing.
//!
//! Numbers are rounded correctly from their decimal text to f32. Dates are recognised so that they can be refused as
//! features, and read as seconds for the column of time.

use std::borrow::Cow;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell {
    /// Nothing, or one of the words for it.
    Missing,
    /// A finite number.
    Number(f32),
    /// Infinity, or a number beyond the range of f32.
    Infinite,
    /// Anything else.
    Text,
}

/// Reads a cell. White space around it does not count.
#[inline]
pub fn parse(bytes: &[u8]) -> Cell {
    let bytes = bytes.trim_ascii();
    match bytes.first() {
        None => Cell::Missing,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(bytes),
        Some(_) if is_missing(bytes) => Cell::Missing,
        Some(b'i' | b'I') => number(bytes),
        Some(_) => Cell::Text,
    }
}

#[inline]
fn number(bytes: &[u8]) -> Cell {
    match std::str::from_utf8(bytes).map(str::parse::<f32>) {
        Ok(Ok(number)) if number.is_finite() => Cell::Number(number),
        Ok(Ok(number)) if number.is_infinite() => Cell::Infinite,
        Ok(Ok(_)) => Cell::Missing,
        _ => Cell::Text,
    }
}

/// Whether a cell is one of the words for a missing value.
fn is_missing(bytes: &[u8]) -> bool {
    let words: [&[u8]; 7] = [b"na", b"n/a", b"nan", b"null", b"?", b"#n/a", b"<na>"];
    words.iter().any(|word| bytes.eq_ignore_ascii_case(word))
}

/// A value as the name of a class or category: numbers that are equal are the same value however they are written. `None`
/// where the text is not UTF-8.
pub fn name(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(bytes.trim_ascii()).ok()?;
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Some(text.into());
    }
    match text.parse::<f64>() {
        // Integers beyond 2^53 are identifiers, whose digits all count.
        Ok(number) if number.abs() < 9e15 => Some((number + 0.0).to_string().into()),
        _ => Some(text.into()),
    }
}

/// Sorts the names of classes or categories: as numbers where all of them are.
pub fn sort(names: &mut [String]) {
    let value = |name: &String| name.parse::<f64>().ok().filter(|v| v.is_finite());
    if names.iter().all(|name| value(name).is_some()) {
        let number = |name: &String| value(name).unwrap_or_default();
        names.sort_by(|a, b| number(a).total_cmp(&number(b)).then_with(|| a.cmp(b)));
    } else {
        names.sort_unstable();
    }
}

/// Whether a text is a number with a decimal comma.
pub fn has_decimal_comma(text: &str) -> bool {
    let digits = text.trim().trim_start_matches(['+', '-']);
    let mut parts = digits.splitn(2, ',');
    let (Some(whole), Some(fraction)) = (parts.next(), parts.next()) else { return false };
    let fraction = fraction.split(['e', 'E']).next().unwrap_or("");
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(fraction) && (whole.is_empty() || all_digits(&whole.replace('.', "")))
}

/// Whether a text looks like a date or a time of day.
pub fn is_date(text: &str) -> bool {
    let text = text.trim();
    seconds(text).is_some() && text.parse::<f64>().is_err() || {
        let date = text.split([' ', 'T']).next().unwrap_or("");
        let parts: Vec<&str> = date.split(['/', '.', '-']).collect();
        let digits = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() == 3 && parts.iter().all(digits)
    }
}

/// A time in seconds: a number, a date and time of ISO 8601 (from 1970 in UTC), or a time of day.
pub fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => Some(day(date)? + time_of_day(time.trim())?),
        None => day(text).or_else(|| time_of_day(text)),
    }
}

/// The start of a day `2024-01-31` or `2024/01/31` in seconds from 1970.
fn day(text: &str) -> Option<f64> {
    let separator = if text.contains('/') { '/' } else { '-' };
    let parts: Vec<&str> = text.split(separator).collect();
    let [year, month, day] = parts[..] else { return None };
    let digits = |part: &str, length| {
        (part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<i64>().ok())?
    };
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from the civil date, counting years from March (H. Hinnant, "chrono-compatible low-level date algorithms").
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some(days as f64 * 86_400.0)
}

/// `12:34`, `12:34:56.789`, with a zone `Z` or `+01:00` or none, in seconds of the day in UTC.
fn time_of_day(text: &str) -> Option<f64> {
    let (clock, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) if text[at..].eq_ignore_ascii_case("z") => (&text[..at], 0.0),
        Some(at) => {
            let sign = if text[at..].starts_with('-') { -1.0 } else { 1.0 };
            (&text[..at], sign * hours_and_minutes(&text[at + 1..])?)
        }
        None => (text, 0.0),
    };
    Some(hours_and_minutes(clock.trim_end())? - offset)
}

fn hours_and_minutes(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let whole = |part: &str, below: u32| {
        let short = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u32>().ok().filter(|&n| short && n < below).map(f64::from)
    };
    let (hours, minutes) = (whole(parts.next()?, 25)?, whole(parts.next()?, 60)?);
    let seconds = match parts.next() {
        Some(part) if part.starts_with(|c: char| c.is_ascii_digit()) => {
            part.replace(',', ".").parse::<f64>().ok().filter(|s| *s < 61.0)?
        }
        Some(_) => return None,
        None => 0.0,
    };
    parts.next().is_none().then_some(hours * 3600.0 + minutes * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::{Cell, has_decimal_comma, is_date, name, parse, seconds, sort};

    #[test]
    fn numbers_are_rounded_once() {
        // Halfway between two floats but for the last digit: by way of f64 it would round to the even neighbour.
        assert_eq!(parse(b"1.00000017881393432617187499"), Cell::Number(1.000_000_1));
        assert_eq!(parse(b"1.00000017881393432617187501"), Cell::Number(1.000_000_2));
        assert_eq!(parse(b" +7.5e-3\t"), Cell::Number(0.0075));
        assert_eq!(parse(b"16777217"), Cell::Number(16_777_216.0));
        for infinite in ["inf", "-Infinity", "1e39", "-1e400"] {
            assert_eq!(parse(infinite.as_bytes()), Cell::Infinite, "{infinite}");
        }
        for text in ["-", "1,5", "1_000", "0x10", "12V", "item", "\u{e9}"] {
            assert_eq!(parse(text.as_bytes()), Cell::Text, "{text}");
        }
        for missing in ["", "  ", "NA", "N/A", "nan", "NaN", "null", "?", "-nan"] {
            assert_eq!(parse(missing.as_bytes()), Cell::Missing, "{missing}");
        }
    }

    #[test]
    fn names_of_equal_numbers_are_equal() {
        let names = ["1", "1.0", "+1", "-0", " red "].map(|v| name(v.as_bytes()).unwrap().into_owned());
        assert_eq!(names, ["1", "1", "1", "0", "red"]);
        assert_eq!(name(b"\xff"), None);
        let mut names = ["10", "9", "-1"].map(String::from);
        sort(&mut names);
        assert_eq!(names, ["-1", "9", "10"]);
        let mut names = ["b", "9", "10"].map(String::from);
        sort(&mut names);
        assert_eq!(names, ["10", "9", "b"]);
    }

    #[test]
    fn commas_and_dates() {
        assert!(["1,5", "-0,25", "1.234,5", ",5", "1,5e3"].into_iter().all(has_decimal_comma));
        assert!(["1.5", "a,b", "1,", "1,2,3"].into_iter().all(|text| !has_decimal_comma(text)));
        for date in ["2024-01-31", "31.01.2024", "1/31/24", "12:30", "2024-01-31T12:30:05.5Z"] {
            assert!(is_date(date), "{date}");
        }
        assert!(["1.5", "12", "a-b-c", "1-2", "red"].into_iter().all(|text| !is_date(text)));
        assert_eq!(seconds("1970-01-02 00:00:01.5"), Some(86_401.5));
        assert_eq!(seconds("2024-02-29T12:00:00+01:00"), Some(1_709_204_400.0));
        assert_eq!(
            (seconds("00:01"), seconds("7.25"), seconds("31.01.2024")),
            (Some(60.0), Some(7.25), None)
        );
    }
}
