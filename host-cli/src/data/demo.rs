//! A generated data set: grey garments of 28×28 pixels in the ten classes of Fashion-MNIST, so that the program trains,
//! evaluates and predicts without files or network access.
//!
//! A garment is a few polygons whose corners are random within ranges (`garments.rs`). They are painted on black and then get
//! a texture: a weave, folds, noise. The ranges of similar classes overlap (a short-sleeved shirt whose buttons hardly show
//! looks like a T-shirt), so that a network still makes errors, and the same ones as people.
//!
//! Apart from random integers only `+ - * /` and square roots are used, whose results IEEE 754 defines, so that a seed gives
//! the same bytes on every machine. An accuracy on this data says nothing about Fashion-MNIST.

mod garments;

use selvedge::Rng;

/// Width and height of an image.
pub const SIDE: usize = 28;
/// Pixels of an image.
pub const PIXELS: usize = SIDE * SIDE;
/// Number of classes: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.
const CLASSES: usize = 10;

/// Generates `count` garments: pixels (one image after the other, row-major, 0 is black) and labels.
///
/// Every class occurs `count / 10` times, give or take one, in random order. The same arguments give the same bytes.
pub fn generate(seed: u64, count: usize) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random(Rng::new(seed));
    let mut labels: Vec<u8> = (0..count).map(|n| (n % CLASSES) as u8).collect();
    random.0.shuffle(&mut labels);
    let mut pixels = vec![0; count * PIXELS];
    for (image, &label) in pixels.chunks_exact_mut(PIXELS).zip(&labels) {
        let mut canvas = Canvas::new(&mut random);
        garments::paint(label, &mut canvas, &mut random);
        Texture::new(!garments::PLAIN.contains(&label), &mut random).finish(
            &canvas.light,
            image,
            &mut random,
        );
    }
    (pixels, labels)
}

/// A minimum and a maximum.
type Range = (f32, f32);

/// The random choices of a drawing.
struct Random(Rng);

impl Random {
    fn within(&mut self, (low, high): Range) -> f32 {
        low + (high - low) * self.0.uniform()
    }
    fn chance(&mut self, p: f32) -> bool {
        self.0.uniform() < p
    }
    /// Mean 0, standard deviation about 1: the sum of four uniform numbers, each 16 bits of one draw.
    fn noise(&mut self) -> f32 {
        let bits = self.0.next_u64();
        let sum: u64 = (0..4).map(|n| (bits >> (16 * n)) & 0xFFFF).sum();
        (sum as f32 - 131_070.0) * (1.0 / 37_837.0)
    }
}

/// A point: pixels right of the middle of the image, pixels below its top.
type Point = (f32, f32);

/// Scan lines in a row of pixels.
const LINES: usize = 4;

/// The brightness of every pixel. A random affine transform of the points makes every garment different.
struct Canvas {
    light: [f32; PIXELS],
    shift: Point,
    scale: Point,
    skew: Point,
}

impl Canvas {
    fn new(random: &mut Random) -> Self {
        let mut pair = |range| (random.within(range), random.within(range));
        Self {
            light: [0.0; PIXELS],
            shift: pair((-1.0, 1.0)),
            scale: pair((0.88, 1.02)),
            skew: pair((-0.05, 0.05)),
        }
    }

    fn transform(&self, (x, y): Point) -> Point {
        let (middle, y) = (SIDE as f32 / 2.0, y - SIDE as f32 / 2.0);
        (
            middle + self.shift.0 + self.scale.0 * x + self.skew.0 * y,
            middle + self.shift.1 + self.scale.1 * y + self.skew.1 * x,
        )
    }

    /// Fills a closed outline (even-odd); light 0 cuts a hole. Coverage is exact along a scan line and sampled on [`LINES`]
    /// scan lines per row of pixels.
    fn fill(&mut self, outline: &[Point], light: f32) {
        let corners: Vec<Point> = outline.iter().map(|&p| self.transform(p)).collect();
        let top = corners.iter().fold(SIDE as f32, |low, p| low.min(p.1)).max(0.0) as usize;
        let bottom = corners.iter().fold(0.0, |high: f32, p| high.max(p.1)) as usize;
        let mut crossings = Vec::with_capacity(corners.len());
        for row in top..SIDE.min(bottom + 1) {
            let mut cover = [0.0f32; SIDE];
            for line in 0..LINES {
                let y = row as f32 + (line as f32 + 0.5) / LINES as f32;
                crossings.clear();
                let mut from = corners[corners.len() - 1];
                for &to in &corners {
                    if (from.1 <= y) != (to.1 <= y) {
                        crossings.push(from.0 + (to.0 - from.0) * (y - from.1) / (to.1 - from.1));
                    }
                    from = to;
                }
                crossings.sort_unstable_by(f32::total_cmp);
                for span in crossings.chunks_exact(2) {
                    let (left, right) = (span[0].max(0.0), span[1].min(SIDE as f32));
                    let cells = cover.iter_mut().enumerate().take(right as usize + 1).skip(left as usize);
                    for (x, cover) in cells {
                        let part = right.min(x as f32 + 1.0) - left.max(x as f32);
                        *cover += part.max(0.0) / LINES as f32;
                    }
                }
            }
            for (pixel, cover) in self.light[row * SIDE..].iter_mut().zip(cover) {
                *pixel += (light - *pixel) * cover.min(1.0);
            }
        }
    }

    /// Draws a line of the given width. Its segments overlap a little, so that there are no gaps at the corners.
    fn stroke(&mut self, path: &[Point], width: f32, light: f32) {
        for ends in path.windows(2) {
            let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
            let (dx, dy) = (bx - ax, by - ay);
            let half = 0.5 * width / (dx * dx + dy * dy).sqrt().max(0.01);
            let (u, v) = (dx * half, dy * half);
            let (ax, ay, bx, by) = (ax - 0.5 * u, ay - 0.5 * v, bx + 0.5 * u, by + 0.5 * v);
            self.fill(&[(ax - v, ay + u), (bx - v, by + u), (bx + v, by - u), (ax + v, ay - u)], light);
        }
    }
}

/// Grid points of the folds in each direction.
const FOLDS: usize = 6;
/// Pixels between two grid points of the folds.
const FOLD_PIXELS: usize = SIDE.div_ceil(FOLDS - 1);

/// The texture of a garment: factors of its brightness.
struct Texture {
    brightness: f32,
    /// Stripes: a factor for every row and for every column.
    rows: [f32; SIDE],
    columns: [f32; SIDE],
    /// Factors at the points of a coarse grid, interpolated between them.
    folds: [[f32; FOLDS]; FOLDS],
    grain: f32,
}

impl Texture {
    fn new(striped: bool, random: &mut Random) -> Self {
        let band = random.within((1.1, 3.5));
        let mut stripes = |probability| {
            let dark = if striped && random.chance(probability) { random.within((0.4, 0.85)) } else { 1.0 };
            std::array::from_fn(|at| if ((at as f32 / band) as usize).is_multiple_of(2) { 1.0 } else { dark })
        };
        let (rows, columns) = (stripes(0.2), stripes(0.15));
        let (crease, grain) = (random.within((0.05, 0.25)), random.within((0.02, 0.1)));
        Self {
            brightness: 0.94 - 0.7 * random.0.uniform() * random.0.uniform(),
            rows,
            columns,
            folds: std::array::from_fn(|_| std::array::from_fn(|_| 1.0 + crease * random.noise())),
            grain,
        }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let (i, u) = (x / FOLD_PIXELS, (x % FOLD_PIXELS) as f32 / FOLD_PIXELS as f32);
        let (j, v) = (y / FOLD_PIXELS, (y % FOLD_PIXELS) as f32 / FOLD_PIXELS as f32);
        let blend = |row: &[f32; FOLDS]| row[i] + (row[i + 1] - row[i]) * u;
        let (above, below) = (blend(&self.folds[j]), blend(&self.folds[j + 1]));
        self.brightness * self.rows[y] * self.columns[x] * (above + (below - above) * v)
    }

    /// Writes the textured image. Black stays black except for a few specks.
    fn finish(&self, light: &[f32; PIXELS], image: &mut [u8], random: &mut Random) {
        for (n, (byte, &light)) in image.iter_mut().zip(light).enumerate() {
            let value = if light > 0.02 {
                light * self.at(n % SIDE, n / SIDE) * (1.0 + self.grain * random.noise())
            } else if random.chance(0.004) {
                0.1 * random.0.uniform()
            } else {
                0.0
            };
            *byte = (value * 255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, PIXELS, generate};

    /// FNV-1a.
    fn checksum(bytes: &[u8]) -> u64 {
        bytes
            .iter()
            .fold(0xCBF2_9CE4_8422_2325, |sum, &b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3))
    }

    #[test]
    fn a_seed_means_the_same_bytes_everywhere() {
        let (pixels, labels) = generate(1, 200);
        assert_eq!(checksum(&labels), 0x7857_8DAD_6A8A_88D3, "{:#018X}", checksum(&labels));
        assert_eq!(checksum(&pixels), 0x9EB5_0023_1C7B_1830, "{:#018X}", checksum(&pixels));
    }

    #[test]
    fn seeds_differ() {
        let (a, b) = (generate(1, 50), generate(2, 50));
        assert_ne!(a.0, b.0);
        assert_ne!(a.1, b.1);
    }

    #[test]
    fn labels_are_balanced_and_shuffled() {
        for count in [0, 1, 10, 1003] {
            let (pixels, labels) = generate(3, count);
            assert_eq!((pixels.len(), labels.len()), (count * PIXELS, count));
            let mut counts = [0; CLASSES];
            labels.iter().for_each(|&l| counts[usize::from(l)] += 1);
            assert!(
                counts.iter().all(|&c| c == count / CLASSES || c == count.div_ceil(CLASSES)),
                "{counts:?}"
            );
            assert!(count < 100 || labels.iter().enumerate().any(|(n, &l)| usize::from(l) != n % CLASSES));
        }
    }

    #[test]
    fn the_background_is_black_and_no_image_is_empty() {
        let (pixels, _) = generate(4, 1000);
        let black = pixels.iter().filter(|&&p| p == 0).count();
        assert!((0.4..0.75).contains(&(black as f64 / pixels.len() as f64)), "{black} of {}", pixels.len());
        for image in pixels.chunks(PIXELS) {
            assert!(image.iter().filter(|&&p| p > 20).count() > PIXELS / 20);
        }
    }

    #[test]
    fn classes_differ_in_the_mean() {
        let (pixels, labels) = generate(5, 2000);
        let mut means = [[0.0; PIXELS]; CLASSES];
        for (image, &label) in pixels.chunks(PIXELS).zip(&labels) {
            for (mean, &p) in means[usize::from(label)].iter_mut().zip(image) {
                *mean += f64::from(p) / (2000 / CLASSES) as f64;
            }
        }
        for a in 0..CLASSES {
            for b in 0..a {
                let gap: f64 = means[a].iter().zip(&means[b]).map(|(x, y)| (x - y).abs()).sum();
                assert!(gap / PIXELS as f64 > 5.0, "classes {a} and {b}: {}", gap / PIXELS as f64);
            }
        }
    }
}
