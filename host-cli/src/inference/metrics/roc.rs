//! The area under the ROC curve (Fawcett, 2006), by ranks.

/// The probability that a positive scores higher than a negative, ties counting half (Mann and Whitney, 1947): 0.5 is
/// chance, 1 a perfect order. Equal to scikit-learn's `roc_auc_score`.
///
/// `None` where it is undefined: without positives, without negatives, or where a score is NaN.
///
/// # Panics
/// If there are not as many scores as answers.
pub fn roc_auc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), positive.len(), "a score for each row");
    let positives = positive.iter().filter(|&&p| p).count();
    let negatives = positive.len() - positives;
    if positives == 0 || negatives == 0 || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Pairs are counted in halves, so that the sum is exact: 2 for each negative below a positive, 1 for each equal one.
    let (mut below, mut halves) = (0_u128, 0_u128);
    // By `==`, which holds of 0 and -0 as `total_cmp` does not; the two are neighbours in the order.
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let above = tied.iter().filter(|row| row.1).count() as u128;
        let others = tied.len() as u128 - above;
        halves += above * (2 * below + others);
        below += others;
    }
    Some(halves as f64 / (2.0 * positives as f64 * negatives as f64))
}

#[cfg(test)]
mod tests {
    use super::super::assert_close;
    use super::roc_auc;

    #[test]
    fn ties_count_half() {
        // sklearn.metrics.roc_auc_score
        let positive = [false, false, true, true, false, true];
        assert_close(roc_auc(&[0.125, 0.5, 0.5, 0.75, 0.25, 0.25], &positive), 0.777_777_777_777_777_8);
        assert_eq!(roc_auc(&[1.0; 6], &positive), Some(0.5));
        assert_eq!(roc_auc(&[0.0, -0.0], &[true, false]), Some(0.5));
        assert_eq!(roc_auc(&[f64::INFINITY, 3.0], &[true, false]), Some(1.0));
    }

    #[test]
    fn undefined_without_both_or_with_nan() {
        assert_eq!(roc_auc(&[], &[]), None);
        assert_eq!(roc_auc(&[1.0, 2.0], &[true, true]), None);
        assert_eq!(roc_auc(&[1.0, 2.0], &[false, false]), None);
        assert_eq!(roc_auc(&[1.0, f64::NAN], &[true, false]), None);
    }
}
