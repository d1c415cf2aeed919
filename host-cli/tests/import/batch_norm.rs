//! Batch normalisations of state dicts, folded into the dense layers.

use super::*;

#[test]
fn batch_normalisations_are_folded() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let x = noise(6, 9);
    let (w1, b1, w2, b2) = (noise(30, 1), noise(5, 2), noise(20, 3), noise(4, 4));
    let variance: Vec<f64> = noise(5, 5).iter().map(|x| x * x + 0.1).collect();
    let (gamma, beta, mean) = (noise(5, 6), noise(5, 7), noise(5, 8));
    let norm = |x: &[f64], eps: f64| -> Vec<f64> {
        (0..5).map(|n| (x[n] - mean[n]) / (variance[n] + eps).sqrt() * gamma[n] + beta[n]).collect()
    };
    let relu = |x: Vec<f64>| x.into_iter().map(|x| x.max(0.0)).collect::<Vec<_>>();
    let front = relu(norm(&dense(&w1, &b1, &x), 1e-5));
    let behind = norm(&relu(dense(&w1, &b1, &x)), 1e-5);
    let keras = relu(norm(&dense(&w1, &b1, &x), 1e-3));
    let torch = ["weight", "bias", "running_mean", "running_var"];
    for (names, parts, hidden, told) in [
        (["0", "1", "3"], torch, &front, "folded into 0 with eps 1e-5, with ReLU after it"),
        (["fc1", "bn1", "fc2"], torch, &front, "folded into fc1 with eps 1e-5"),
        (["net.0.lin", "net.0.norm", "net.1.lin"], torch, &front, "folded into net.0.lin"),
        (["first", "norm", "head"], torch, &front, "folded into first"),
        (
            ["0", "2", "3"],
            torch,
            &behind,
            "folded into 3 with eps 1e-5, with ReLU, or nothing, in front of it",
        ),
        (
            ["d", "d_1", "d_2"],
            ["gamma", "beta", "moving_mean", "moving_variance"],
            &keras,
            "folded into d with eps 1e-3",
        ),
    ] {
        let [first, bn, second] = names.map(|n| move |part: &str| format!("{n}.{part}"));
        let file: [(String, &[usize], Vec<f64>); 8] = [
            (first("weight"), &[5, 6], w1.clone()),
            (first("bias"), &[5], b1.clone()),
            (bn(parts[0]), &[5], gamma.clone()),
            (bn(parts[1]), &[5], beta.clone()),
            (bn(parts[2]), &[5], mean.clone()),
            (bn(parts[3]), &[5], variance.clone()),
            (second("weight"), &[4, 5], w2.clone()),
            (second("bias"), &[4], b2.clone()),
        ];
        let tensors: Vec<Tensor<'_>> = file.iter().map(|(n, s, v)| (&n[..], *s, v.clone())).collect();
        write(&here.join("a"), &tensors, true);
        let told_of = warnings(&import(here, &["a"]));
        assert!(told_of.iter().any(|w| w.contains(told)), "{names:?}: {told_of:?}");
        assert!(told_of.iter().any(|w| w.contains("64 bits (F64) and were rounded to f32")), "{told_of:?}");
        close(&logits(here, "net", &x), &dense(&w2, &b2, hidden));
    }
    // Of a width that no layer has, and of variances that are none.
    let bad = |width: usize, variance: f64, why: &str| {
        let each = [width];
        let tensors: [Tensor<'_>; 4] = [
            ("0.weight", &[5, 6], w1.clone()),
            ("1.running_mean", &each, vec![0.0; width]),
            ("1.running_var", &each, vec![variance; width]),
            ("3.weight", &[4, 5], w2.clone()),
        ];
        write(&here.join("a"), &tensors, false);
        let line = fails(here, &["import", "a", "-o", "none"], 4);
        assert!(line.contains(why), "{line}");
    };
    bad(3, 1.0, "1 has 3 units, but 0 in front of it has 5 outputs");
    bad(5, -1.0, "1.running_var holds -1 at position 0, which is no variance");
}
