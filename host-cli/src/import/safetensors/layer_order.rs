//! The order of a state dict's layers: from `--order`, else from numbers in the names, else the only order in which the widths
//! fit.
//!
//! Names are compared piece by piece. If the first difference is a number, it decides: `net.2` comes before `net.10`,
//! `block.1.in` before `block.2.out`. If it is a word, the names do not decide, since no list of words tells `body` from
//! `head`. More than one fitting order is an error, because layers in another order are another network.

use std::cmp::Ordering;

use super::super::Refusal;
use super::super::dense::AffineDense;

/// The number of orders that an error lists.
const MAX_LISTED: usize = 3;

/// The layers in order. `given` is empty or lists their prefixes in order.
pub(super) fn of<'a>(
    layers: Vec<(&'a str, AffineDense)>,
    given: &[String],
) -> Result<Vec<(&'a str, AffineDense)>, Refusal> {
    let order = if given.is_empty() { found(&layers)? } else { as_given(&layers, given)? };
    let mut layers: Vec<Option<_>> = layers.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|n| layers[n].take()).collect())
}

/// The order that follows from names and widths.
fn found(layers: &[(&str, AffineDense)]) -> Result<Vec<usize>, Refusal> {
    let earlier = |a: usize, b: usize| by_number(layers[a].0, layers[b].0) == Some(Ordering::Less);
    let names = |order: &[usize]| order.iter().map(|&n| layers[n].0).collect::<Vec<_>>().join(",");
    let fitting = orders(layers, &earlier);
    match &fitting[..] {
        [only] => return Ok(only.clone()),
        [] => {}
        _ => {
            let listed: Vec<_> = fitting.iter().take(MAX_LISTED).map(|order| names(order)).collect();
            let more = if fitting.len() > MAX_LISTED { " and others" } else { "" };
            return Err(Refusal::File(format!(
                "its names do not say the order of the layers, and the widths allow {}{more}; say which it is with \
                 `--order a,b,..`: the {} names from the input to the output",
                listed.join(" or "),
                layers.len()
            )));
        }
    }
    // No order fits names and widths. One that fits the widths alone is only suggested.
    let mut sorted: Vec<usize> = (0..layers.len()).collect();
    sorted.sort_by(|&a, &b| natural(layers[a].0, layers[b].0));
    match &orders(layers, &|_, _| false)[..] {
        [] => Ok(sorted),
        [other, ..] => Err(Refusal::File(format!(
            "the widths do not fit in the order of the numbers in its names, {}; if {} is right, say so with `--order {}`",
            names(&sorted),
            names(other),
            names(other)
        ))),
    }
}

/// The orders in which widths fit and no layer precedes an `earlier` one; at most one more than an error lists.
fn orders(layers: &[(&str, AffineDense)], earlier: &dyn Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    fn extend(
        layers: &[(&str, AffineDense)],
        earlier: &dyn Fn(usize, usize) -> bool,
        taken: &mut Vec<usize>,
        found: &mut Vec<Vec<usize>>,
    ) {
        if taken.len() == layers.len() {
            found.push(taken.clone());
            return;
        }
        let left: Vec<usize> = (0..layers.len()).filter(|n| !taken.contains(n)).collect();
        for &next in &left {
            let fits = taken.last().is_none_or(|&last| layers[last].1.dims[0] == layers[next].1.dims[1]);
            if fits && found.len() <= MAX_LISTED && !left.iter().any(|&other| earlier(other, next)) {
                taken.push(next);
                extend(layers, earlier, taken, found);
                taken.pop();
            }
        }
    }
    let mut found = Vec::new();
    extend(layers, earlier, &mut Vec::new(), &mut found);
    found
}

/// The order that `--order` gives.
fn as_given(layers: &[(&str, AffineDense)], given: &[String]) -> Result<Vec<usize>, Refusal> {
    let names = || layers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let mut order = Vec::new();
    for word in given.iter().map(|word| word.trim()) {
        let Some(n) = layers.iter().position(|(name, _)| *name == word) else {
            let near = layers.iter().map(|(name, _)| (strsim::damerau_levenshtein(name, word), *name)).min();
            let hint = match near {
                Some((distance, name)) if distance <= 2.max(word.len() / 3) => {
                    format!("did you mean {name}?")
                }
                _ => format!("it has {}", names()),
            };
            return Err(Refusal::Arguments(format!(
                "--order names a layer {word}, which the file has not; {hint}"
            )));
        };
        if order.contains(&n) {
            return Err(Refusal::Arguments(format!("--order names {word} twice")));
        }
        order.push(n);
    }
    let missing: Vec<_> = (0..layers.len()).filter(|n| !order.contains(n)).map(|n| layers[n].0).collect();
    if !missing.is_empty() {
        return Err(Refusal::Arguments(format!("--order leaves out {}", missing.join(", "))));
    }
    for pair in order.windows(2) {
        let [(before, a), (after, b)] = [&layers[pair[0]], &layers[pair[1]]];
        if a.dims[0] != b.dims[1] {
            return Err(Refusal::Arguments(format!(
                "--order: {after} has {} inputs, but {before} in front of it has {} outputs",
                b.dims[1], a.dims[0]
            )));
        }
    }
    Ok(order)
}

/// A piece of a name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'a> {
    Number(&'a str),
    Word(&'a str),
}

/// The runs of digits of a name, and what is between them.
fn pieces(name: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digit = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        // Without leading zeros a longer number is larger, whatever its length.
        let number = || piece.trim_start_matches('0');
        pieces.push(if digit { Piece::Number(number()) } else { Piece::Word(piece) });
        rest = after;
    }
    pieces
}

fn compare_numbers(a: &str, b: &str) -> Ordering {
    (a.len(), a).cmp(&(b.len(), b))
}

/// The order of two names by their first different number; `None` if no number decides.
pub(super) fn by_number(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (pieces(a), pieces(b));
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    match (&a[same..], &b[same..]) {
        ([Piece::Number(x), ..], [Piece::Number(y), ..]) => Some(compare_numbers(x, y)),
        // Keras counts dense, dense_1, dense_2.
        ([Piece::Word(x)], [Piece::Word(y), Piece::Number(_)]) if y.strip_suffix('_') == Some(x) => {
            Some(Ordering::Less)
        }
        ([Piece::Word(x), Piece::Number(_)], [Piece::Word(y)]) if x.strip_suffix('_') == Some(y) => {
            Some(Ordering::Greater)
        }
        _ => None,
    }
}

/// By numbers if they decide, else alphabetically.
fn natural(a: &str, b: &str) -> Ordering {
    by_number(a, b).unwrap_or_else(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Greater, Less};

    use super::super::super::Refusal;
    use super::super::super::dense::AffineDense;
    use super::{by_number, of};

    fn layers<'a>(of: &[(&'a str, [usize; 2])]) -> Vec<(&'a str, AffineDense)> {
        let layer = |dims: [usize; 2]| {
            AffineDense::new(
                [const { String::new() }; 2],
                dims,
                vec![0.0; dims[0] * dims[1]],
                vec![0.0; dims[0]],
            )
        };
        of.iter().map(|&(name, dims)| (name, layer(dims))).collect()
    }

    fn order(dims: &[(&str, [usize; 2])], given: &str) -> Result<String, Refusal> {
        let given: Vec<_> = given.split(',').filter(|s| !s.is_empty()).map(String::from).collect();
        of(layers(dims), &given).map(|l| l.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn numbers_compare_as_numbers_and_words_say_nothing() {
        for (a, b, expected) in [
            ("net.2", "net.10", Some(Less)),
            ("fc10", "fc9", Some(Greater)),
            ("layers.0.linear", "layers.1.linear", Some(Less)),
            ("block1.out", "block2.in", Some(Less)),
            ("99999999999999999999998", "99999999999999999999999", Some(Less)),
            ("dense", "dense_1", Some(Less)),
            ("net.002", "net.1", Some(Greater)),
            ("layer_one", "layer_two", None),
            ("fc1", "out", None),
            ("features.0", "classifier.1", None),
        ] {
            assert_eq!(by_number(a, b), expected, "{a} {b}");
            assert_eq!(by_number(b, a), expected.map(std::cmp::Ordering::reverse), "{b} {a}");
        }
    }

    #[test]
    fn the_only_order_that_fits_is_taken() {
        let square = [4, 4];
        assert_eq!(order(&[("a.10", square), ("a.9", square), ("a.0", [4, 6])], "").unwrap(), "a.0,a.9,a.10");
        assert_eq!(order(&[("classes", [3, 5]), ("hidden", [5, 6])], "").unwrap(), "hidden,classes");
        // The widths say where the head is, the numbers the rest.
        let net = [("body.2", square), ("body.0", [4, 6]), ("head", [3, 4])];
        assert_eq!(order(&net, "").unwrap(), "body.0,body.2,head");
    }

    #[test]
    fn several_orders_are_an_error_that_lists_them() {
        let file = |dims: &[(&str, [usize; 2])]| match order(dims, "") {
            Err(Refusal::File(why)) => why,
            other => panic!("{other:?}"),
        };
        let why = file(&[("one", [4, 6]), ("three", [4, 4]), ("two", [4, 4]), ("x", [3, 4])]);
        assert!(why.contains("allow one,three,two,x or one,two,three,x; say which"), "{why}");
        assert!(why.ends_with("`--order a,b,..`: the 4 names from the input to the output"), "{why}");
        // Numbers of different modules say nothing of each other.
        let why = file(&[("b.0", [4, 4]), ("b.2", [4, 4]), ("c.1", [4, 4])]);
        assert!(why.contains("b.0,b.2,c.1 or b.0,c.1,b.2 or c.1,b.0,b.2; say"), "{why}");
        let many: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|n| (n, [4, 4])).to_vec();
        let why = file(&many);
        assert!(why.contains(" and others; say") && why.len() < 250, "{why}");
        // Numbers that the widths contradict.
        let why = file(&[("net.0", [4, 5]), ("net.2", [5, 6])]);
        assert!(
            why.contains("in the order of the numbers in its names, net.0,net.2; if net.2,net.0 is"),
            "{why}"
        );
    }

    #[test]
    fn what_is_given_is_checked() {
        let net = [("one", [4, 6]), ("two", [4, 4]), ("out", [3, 4])];
        assert_eq!(order(&net, "one,two,out").unwrap(), "one,two,out");
        for (given, why) in [
            ("one,tow,out", "names a layer tow, which the file has not; did you mean two?"),
            ("one,something,out", "which the file has not; it has one, two, out"),
            ("one,two,two,out", "names two twice"),
            ("one", "leaves out two, out"),
            ("two,one,out", "one has 6 inputs, but two in front of it has 4 outputs"),
        ] {
            match order(&net, given) {
                Err(Refusal::Arguments(found)) => assert!(found.contains(why), "{found}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
