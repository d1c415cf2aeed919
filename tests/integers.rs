//! Integer layers of every backend against plain loops, equal to the byte, with guards around what they write; and the same
//! guards around gathered rows.

mod common;

use common::{Guarded, backends, bits};
use selvedge::kernel::gemm_i8::{PackedLayer, Target, integer_layer, packed_index, padded_outputs};
use selvedge::naive::integer;
use selvedge::{Backend, Rng, kernel};

/// Bytes on either side of an output that nobody may touch, and what they hold.
const GUARD: usize = 128;
const PAINT: u8 = 0xa5;

/// A layer as the specification has it: weights `(o, i)`.
struct Plain {
    i: usize,
    o: usize,
    weights: Vec<i8>,
    biases: Vec<i32>,
    multipliers: Vec<u32>,
}

impl Plain {
    fn new(rng: &mut Rng, i: usize, o: usize) -> Self {
        Self {
            i,
            o,
            weights: (0..o * i).map(|_| (rng.below(255) as i32 - 127) as i8).collect(),
            biases: (0..o).map(|_| rng.below(20_000) as i32 - 10_000).collect(),
            multipliers: (0..o).map(|_| rng.below(1 << 16)).collect(),
        }
    }

    /// The layer's weights, biases and multipliers as a backend wants them.
    fn pack(&self, backend: Backend) -> [Vec<u8>; 3] {
        let lanes = backend.dot_lanes();
        let (rows, quads) = (padded_outputs(self.o, lanes), self.i.div_ceil(4));
        let mut weights = vec![0; rows * quads * 4];
        for (at, &w) in self.weights.iter().enumerate() {
            weights[packed_index(lanes, rows, quads, at / self.i, at % self.i)] = w as u8;
        }
        let words = |values: &mut dyn Iterator<Item = i32>| {
            let mut bytes: Vec<u8> = values.flat_map(i32::to_ne_bytes).collect();
            bytes.resize(4 * rows, 0);
            bytes
        };
        let multipliers = words(&mut self.multipliers.iter().map(|&r| r as i32));
        [weights, words(&mut self.biases.iter().copied()), multipliers]
    }

    /// Runs the layer on `backend`.
    fn run(&self, backend: Backend, [w, b, r]: [&[u8]; 3], x: (&[u8], usize), target: Target<'_>) {
        let quads = self.i.div_ceil(4);
        let layer = PackedLayer { quads, outputs: self.o, weights: w, biases: b, multipliers: r };
        integer_layer(backend, layer, x, &mut vec![0; 2 * quads], target);
    }

    fn accumulated(&self, x: &[u8]) -> Vec<i32> {
        let mut acc = vec![0; self.o];
        integer::accumulate(x, &self.weights, &self.biases, &mut acc);
        acc
    }

    fn hidden(&self, x: &[u8]) -> Vec<u8> {
        let acc = self.accumulated(x);
        acc.iter().zip(&self.multipliers).map(|(&acc, &r)| integer::requantize(acc, r)).collect()
    }
}

/// Runs `work` on `len` bytes between guards and returns them.
fn guarded(what: &str, len: usize, work: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut memory = vec![PAINT; len + 2 * GUARD];
    work(&mut memory[GUARD..][..len]);
    let around = [&memory[..GUARD], &memory[GUARD + len..]].concat();
    assert!(around.iter().all(|&byte| byte == PAINT), "{what}: wrote outside of its output");
    memory[GUARD..][..len].to_vec()
}

#[test]
fn layers_are_those_of_the_specification() {
    let mut rng = Rng::new(11);
    for (i, o) in [(1, 1), (4, 3), (7, 16), (20, 17), (33, 40), (784, 128), (128, 10), (50, 130), (9, 65)] {
        let plain = Plain::new(&mut rng, i, o);
        for b in [1, 2, 3, 5, 8, 13, 30] {
            let stride = i.next_multiple_of(4) + 4;
            let mut x = vec![0; b * stride];
            for row in x.chunks_exact_mut(stride) {
                row[..i].fill_with(|| if rng.below(2) == 0 { 0 } else { rng.below(128) as u8 });
            }
            let rows = || x.chunks_exact(stride).map(|row| &row[..i]);
            for backend in backends() {
                let what = format!("{} {b} {i} {o}", backend.name());
                let [weights, biases, multipliers] = plain.pack(backend);
                let width = padded_outputs(o, backend.dot_lanes());

                let mut logits = vec![i32::MIN; b * o + 2];
                let target = Target::Logits(&mut logits[1..=b * o]);
                plain.run(backend, [&weights, &biases, &[]], (&x, stride), target);
                assert_eq!((logits[0], logits[b * o + 1]), (i32::MIN, i32::MIN), "{what}: wrote outside");
                let expected: Vec<i32> = rows().flat_map(|x| plain.accumulated(x)).collect();
                assert_eq!(logits[1..=b * o], expected, "{what}");

                let y = guarded(&what, b * width, |y| {
                    let target = Target::Hidden(y, width);
                    plain.run(backend, [&weights, &biases, &multipliers], (&x, stride), target);
                });
                let outputs = y.chunks_exact(width).flat_map(|row| &row[..o]).copied();
                assert!(outputs.eq(rows().flat_map(|x| plain.hidden(x))), "{what}");
            }
        }
    }
}

#[test]
fn gathered_rows_stay_inside() {
    for i in [1, 7, 64, 65, 784] {
        let pixels: Vec<u8> = (0..9 * i).map(|p| p as u8).collect();
        let (index, mean, scale) = ([8, 0, 3, 3, 5, 1, 7], vec![1.0; i], vec![0.5; i]);
        for backend in backends() {
            let what = format!("{} gather {i}", backend.name());
            let (mut plain, mut shifted) = (Guarded::poisoned(7 * i), Guarded::poisoned(7 * i));
            kernel::gather(backend, &pixels, &index, plain.get());
            kernel::gather_standardised(backend, &pixels, &index, &mean, &scale, shifted.get());
            let (plain, shifted) = (plain.finish(&what), shifted.finish(&what));
            let from = |at: usize| f32::from(pixels[index[at / i] as usize * i + at % i]);
            assert_eq!(
                bits(&plain),
                bits(&(0..7 * i).map(|at| from(at) / 255.0).collect::<Vec<_>>()),
                "{what}"
            );
            assert!(shifted.iter().enumerate().all(|(at, &x)| x == (from(at) - 1.0) * 0.5), "{what}");
        }
    }
}
