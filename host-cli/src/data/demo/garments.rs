//! The shapes of the ten classes, in pixels: x goes right from the middle of the image, y down from its top.
//!
//! All garments of the upper body share one function, with a table of ranges for each class; the others have a function each.
//! Light 1 is the plain texture, less is darker, more is lighter.

use super::{Canvas, Point, Random, Range};

/// Classes without stripes.
pub(super) const PLAIN: [u8; 4] = [1, 5, 7, 9];

/// Paints a garment of class `label`.
pub(super) fn paint(label: u8, canvas: &mut Canvas, random: &mut Random) {
    match label {
        0 => top(&T_SHIRT, canvas, random),
        1 => trousers(canvas, random),
        2 => top(&PULLOVER, canvas, random),
        3 => top(&DRESS, canvas, random),
        4 => top(&COAT, canvas, random),
        5 => sandal(canvas, random),
        6 => top(&SHIRT, canvas, random),
        7 => shoe(&SNEAKER, canvas, random),
        8 => bag(canvas, random),
        _ => shoe(&BOOT, canvas, random),
    }
}

/// The ranges and probabilities of a garment of the upper body; widths are halves.
struct Top {
    neck: Range,
    neckline: Range,
    shoulder: Range,
    chest: Range,
    waist: Range,
    hem: Range,
    bottom: Range,
    sleeve: Range,
    /// The length of a sleeve that is unusual for the class.
    other: Range,
    cuff: Range,
    /// The horizontal extent of a sleeve per unit of its vertical extent.
    spread: Range,
    /// The probability of an unusual sleeve; the fields that follow are probabilities too.
    other_sleeve: f32,
    ribs: f32,
    collar: f32,
    zip: f32,
    buttons: f32,
    print: f32,
}

#[rustfmt::skip]
const T_SHIRT: Top = Top {
    neck: (2.2, 4.2), neckline: (1.2, 4.5), shoulder: (6.8, 8.8), chest: (6.0, 7.8), waist: (5.6, 7.6),
    hem: (5.8, 8.0), bottom: (23.5, 27.0), sleeve: (4.0, 8.0), other: (0.5, 2.0), cuff: (3.2, 4.8),
    spread: (0.35, 1.5), other_sleeve: 0.12, ribs: 0.0, collar: 0.04, zip: 0.0, buttons: 0.04, print: 0.35,
};
#[rustfmt::skip]
const PULLOVER: Top = Top {
    neck: (2.0, 3.8), neckline: (0.8, 3.2), shoulder: (6.4, 8.2), chest: (6.3, 7.9), waist: (6.0, 7.8),
    hem: (6.0, 7.8), bottom: (21.8, 25.8), sleeve: (16.0, 21.0), other: (9.0, 15.0), cuff: (2.4, 3.4),
    spread: (0.15, 0.42), other_sleeve: 0.05, ribs: 0.7, collar: 0.04, zip: 0.02, buttons: 0.02, print: 0.15,
};
#[rustfmt::skip]
const DRESS: Top = Top {
    neck: (1.6, 3.4), neckline: (1.0, 5.0), shoulder: (3.4, 5.4), chest: (3.2, 4.8), waist: (2.4, 4.4),
    hem: (3.6, 8.5), bottom: (26.0, 27.8), sleeve: (0.5, 3.0), other: (4.0, 15.0), cuff: (1.6, 2.4),
    spread: (0.15, 0.8), other_sleeve: 0.3, ribs: 0.0, collar: 0.05, zip: 0.0, buttons: 0.08, print: 0.1,
};
#[rustfmt::skip]
const COAT: Top = Top {
    neck: (1.8, 3.4), neckline: (1.0, 4.5), shoulder: (6.2, 8.0), chest: (5.8, 7.6), waist: (5.2, 7.4),
    hem: (6.2, 8.6), bottom: (25.6, 28.2), sleeve: (17.0, 22.0), other: (9.0, 15.0), cuff: (2.6, 3.8),
    spread: (0.08, 0.3), other_sleeve: 0.0, ribs: 0.05, collar: 0.8, zip: 0.9, buttons: 0.5, print: 0.0,
};
#[rustfmt::skip]
const SHIRT: Top = Top {
    neck: (1.8, 3.6), neckline: (0.8, 4.2), shoulder: (6.0, 8.0), chest: (5.3, 7.1), waist: (4.7, 6.8),
    hem: (5.1, 7.4), bottom: (23.5, 27.5), sleeve: (15.0, 21.0), other: (4.0, 9.0), cuff: (2.2, 3.8),
    spread: (0.25, 0.7), other_sleeve: 0.3, ribs: 0.05, collar: 0.8, zip: 0.05, buttons: 0.85, print: 0.05,
};

fn top(range: &Top, canvas: &mut Canvas, random: &mut Random) {
    let [neck, shoulder, chest] = [range.neck, range.shoulder, range.chest].map(|r| random.within(r));
    let [waist, hem, bottom] = [range.waist, range.hem, range.bottom].map(|r| random.within(r));
    let neckline = 1.5 + random.within(range.neckline);
    let sleeve = if random.chance(range.other_sleeve) { range.other } else { range.sleeve };
    let length = random.within(sleeve);
    let (cuff, spread) = (random.within(range.cuff), random.within(range.spread));
    let seam = random.within((0.45, 0.95));
    let ribs = random.chance(range.ribs).then(|| random.within((0.4, 0.9)));

    let tip = (shoulder, 1.5 + random.within((1.2, 2.8)));
    let armpit = (chest, tip.1 + random.within((4.5, 6.5)));
    let unit = length / (1.0 + spread * spread).sqrt();
    let end = (tip.0 + spread * unit, tip.1 + unit);
    let inner = (end.0 - cuff, end.1 + 0.4 * cuff * spread);
    for side in [1.0, -1.0] {
        let at = |(x, y): Point| (side * x, y);
        let root = (neck + 0.5 * (tip.0 - neck), tip.1 - 0.5);
        canvas.fill(&[root, tip, end, inner, armpit].map(at), random.within((0.85, 1.0)));
        if let Some(light) = ribs {
            canvas.stroke(&[end, inner].map(at), 1.6, light);
        }
    }
    let middle = (waist, armpit.1 + 0.45 * (bottom - armpit.1));
    let half = [(neck, 1.5), tip, armpit, middle, (hem, bottom)];
    canvas.fill(&mirrored(&half), 1.0);
    if let Some(light) = ribs {
        canvas.stroke(&[(-hem, bottom - 0.8), (hem, bottom - 0.8)], 1.6, light);
    }
    for side in [1.0, -1.0] {
        canvas.stroke(&[tip, armpit, middle].map(|(x, y)| (side * x, y)), 0.8, seam);
    }
    let curve = (0.6 * neck, 0.4 + 0.75 * neckline);
    canvas.fill(&mirrored(&[(neck, 0.0), (neck, 1.5), curve, (0.0, neckline)]), 0.0);

    details(range, &Outline { neck, neckline, armpit: armpit.1, bottom, seam }, canvas, random);
}

/// The positions that the details of a top depend on.
struct Outline {
    /// Half the width of the neck, and the y of its lowest point.
    neck: f32,
    neckline: f32,
    /// The y of the armpits and of the hem.
    armpit: f32,
    bottom: f32,
    /// The brightness of the seams.
    seam: f32,
}

/// Draws a print, a zip, buttons and a collar, each with its probability.
fn details(range: &Top, outline: &Outline, canvas: &mut Canvas, random: &mut Random) {
    let &Outline { neck, neckline, armpit, bottom, seam } = outline;
    if random.chance(range.print) {
        let (wide, high) = (random.within((1.5, 4.5)), random.within((1.0, 4.0)));
        let y = armpit + random.within((0.0, 4.0));
        canvas.fill(&mirrored(&[(wide, y), (wide, y + high)]), random.within((0.2, 1.4)));
    }
    if random.chance(range.zip) {
        let (gap, end) = (random.within((0.4, 1.6)), random.within((-0.6, 0.6)));
        canvas.stroke(&[(0.0, neckline - 0.5), (end, bottom)], gap, 0.15);
    }
    if random.chance(range.buttons) {
        let (light, gap) = (random.within((0.2, 0.8)), random.within((2.0, 3.6)));
        let mut y = neckline + 1.0;
        canvas.stroke(&[(-0.9, neckline), (-0.9, bottom)], 0.5, 0.5 + 0.5 * light);
        while y < bottom - 1.0 {
            canvas.fill(&[(-0.5, y), (0.5, y), (0.5, y + 1.0), (-0.5, y + 1.0)], light);
            y += gap;
        }
    }
    if random.chance(range.collar) {
        let (light, point) = (random.within((0.6, 1.3)), neckline + random.within((0.0, 2.0)));
        for side in [1.0, -1.0] {
            let edge = [(neck + 1.2, 2.4), (1.8, point + 0.8), (0.2, neckline)].map(|(x, y)| (side * x, y));
            canvas.fill(&[edge[0], edge[1], edge[2], (side * (neck - 0.9), 1.4), (side * neck, 0.8)], light);
            canvas.stroke(&edge, 0.6, seam * 0.7);
        }
    }
}

fn trousers(canvas: &mut Canvas, random: &mut Random) {
    let (waist, hip) = (random.within((3.2, 5.2)), random.within((4.2, 6.4)));
    let (fork, bottom) = (random.within((7.5, 11.5)), random.within((25.0, 27.8)));
    let outer = random.within((4.0, 7.5));
    let inner = outer - random.within((2.2, 4.0));
    let gap = random.within((0.2, 1.2));
    let leg = [(hip, fork - 2.0), (outer, bottom), (inner, bottom), (gap, fork + 1.5)];
    canvas.fill(&mirrored(&[(waist, 0.8), leg[0], leg[1], leg[2], leg[3], (0.0, fork)]), 1.0);
    canvas.stroke(&[(-waist, 2.2), (waist, 2.2)], 0.6, random.within((0.5, 1.0)));
    canvas.stroke(&[(0.0, 2.0), (0.0, fork)], 0.7, random.within((0.5, 0.9)));
    let crease = random.within((0.7, 1.2));
    for side in [1.0, -1.0] {
        let at = |(x, y): Point| (side * x, y);
        canvas.stroke(&[(0.5 * hip, fork - 3.0), (0.5 * (outer + inner), bottom)].map(at), 0.9, crease);
    }
}

fn sandal(canvas: &mut Canvas, random: &mut Random) {
    let (ground, rise) = (random.within((18.0, 22.5)), random.within((0.0, 9.0)));
    let ball = random.within((-6.0, -2.0));
    let (sole, strap) = (random.within((1.0, 2.2)), random.within((1.0, 2.4)));
    let (heel, light) = ((11.5, ground - rise), random.within((0.6, 1.0)));
    let tread = [(-12.5, ground - 0.5), (ball, ground), (0.5 * (ball + heel.0), ground - 0.6 * rise), heel];
    if random.chance(0.5) {
        canvas.fill(&[tread[1], tread[2], heel, (12.0, ground + 0.8), (ball, ground + 0.8)], light);
    } else {
        let width = random.within((1.0, 3.0));
        canvas.stroke(&[(heel.0 - 0.8, heel.1), (heel.0 + 0.3, ground + 1.0)], width, light);
    }
    canvas.stroke(&tread, sole, light);
    let arch = random.within((3.0, 6.0));
    let toe = random.within((-11.5, -9.0));
    let over = [(toe, ground), (toe + 1.8, ground - arch), (ball, ground - arch), (ball + 1.5, ground)];
    canvas.stroke(&over, strap, 1.0);
    if random.chance(0.6) {
        canvas.stroke(&[(toe + 3.0, ground - arch + 1.0), (4.0, heel.1 - 4.5)], strap, 0.9);
    }
    if random.chance(0.75) {
        let height = random.within((4.0, 8.0));
        let front = (random.within((2.0, 5.0)), heel.1 - 0.7 * height);
        canvas.stroke(&[heel, (11.0, heel.1 - height), front, (2.0, ground - 0.5 * rise)], strap * 0.9, 1.0);
    }
}

/// The ranges and probabilities of a closed shoe, toe to the left. Heights are above the ground line.
struct Shoe {
    ground: Range,
    toe: Range,
    instep: Range,
    tongue: Range,
    /// The x where the opening begins.
    open: Range,
    /// How far the collar at the heel is below the tongue, and how far it dips between them.
    drop: Range,
    dip: Range,
    sole: Range,
    heel: Range,
    laces: f32,
    stripes: f32,
    strap: f32,
    gusset: f32,
}

#[rustfmt::skip]
const SNEAKER: Shoe = Shoe {
    ground: (17.5, 20.5), toe: (2.8, 4.5), instep: (5.0, 7.8), tongue: (7.5, 12.5), open: (0.5, 3.5),
    drop: (0.5, 3.5), dip: (0.5, 2.5), sole: (1.2, 2.8), heel: (0.0, 0.0), laces: 0.8, stripes: 0.5, strap: 0.05,
    gusset: 0.0,
};
#[rustfmt::skip]
const BOOT: Shoe = Shoe {
    ground: (20.0, 24.0), toe: (3.2, 5.2), instep: (7.0, 9.5), tongue: (11.5, 20.5), open: (0.5, 4.0),
    drop: (-0.5, 1.0), dip: (0.0, 0.8), sole: (0.8, 2.2), heel: (0.5, 4.0), laces: 0.25, stripes: 0.05, strap: 0.35,
    gusset: 0.35,
};

fn shoe(range: &Shoe, canvas: &mut Canvas, random: &mut Random) {
    let [toe, instep, tongue] = [range.toe, range.instep, range.tongue].map(|r| random.within(r));
    let [ground, open, sole] = [range.ground, range.open, range.sole].map(|r| random.within(r));
    let collar = tongue - random.within(range.drop);
    let low = collar.min(tongue) - random.within(range.dip);
    let up = |x: f32, height: f32| (x, ground - height);
    #[rustfmt::skip]
    let upper = [
        up(-13.0, 0.0), up(-13.0, 0.7 * toe), up(-10.5, toe), up(-5.0, toe + 1.4), up(open - 1.0, instep),
        up(open, tongue), up(open + 1.5, tongue), up(open + 4.0, low), up(11.0, collar), up(12.3, collar - 0.6),
        up(11.9, 5.0), up(12.8, 0.0),
    ];
    canvas.fill(&smooth(&upper), 1.0);
    let detail = random.within((0.3, 1.3));
    if random.chance(range.laces) {
        for t in [0.0, 0.33, 0.67, 1.0] {
            let (x, height) = (-4.5 + t * (open + 4.0), toe + 0.8 + t * (instep - toe));
            canvas.stroke(&[up(x, height), up(x + 2.0, height - 1.6)], 0.8, detail);
        }
    }
    if random.chance(range.stripes) {
        let x = random.within((-1.0, 4.0));
        for x in [x, x + 2.4] {
            canvas.stroke(&[up(x - 1.0, 1.0), up(x + 1.5, 5.0)], 0.9, detail);
        }
    }
    if random.chance(range.strap) {
        canvas.stroke(&[up(open, instep), up(11.5, instep - 1.0)], 1.1, detail);
    }
    if random.chance(range.gusset) {
        let tip = instep - 1.0;
        canvas.fill(&[up(5.5, tongue), up(8.5, tongue), up(7.5, tip), up(6.5, tip)], detail);
    }
    let (light, heel) = (random.within((0.35, 1.2)), sole.max(random.within(range.heel)));
    canvas.fill(&[up(-13.0, 0.2), up(12.9, 0.2), up(12.6, -sole), up(-12.0, -sole)], light);
    canvas.fill(&[up(5.5, 0.0), up(12.6, 0.0), up(12.3, -heel), up(6.5, -heel)], light);
}

fn bag(canvas: &mut Canvas, random: &mut Random) {
    let (upper, lower) = (random.within((7.5, 12.5)), random.within((9.0, 13.0)));
    let (lid, bottom) = (random.within((6.5, 13.0)), random.within((22.0, 26.5)));
    let grip = random.within((3.0, 9.0)).min(upper - 1.0);
    let rise = random.within((1.0, lid));
    let light = random.within((0.6, 1.0));
    let width = random.within((0.9, 2.0));
    canvas.stroke(&mirrored(&[(grip, lid + 1.0), (grip, rise + 0.6), (0.7 * grip, rise)]), width, light);
    let half = [(upper, lid), (upper + 0.3, lid + 0.5), (lower, bottom - 0.6), (lower - 0.6, bottom)];
    canvas.fill(&smooth(&mirrored(&half)), 1.0);
    let detail = random.within((0.4, 1.2));
    if random.chance(0.5) {
        let flap = lid + random.within((3.0, 8.0));
        canvas.stroke(&[(-lower, flap), (lower, flap)], 0.9, detail);
        canvas.fill(&mirrored(&[(1.2, flap - 0.8), (1.2, flap + 1.4)]), 1.6 - detail);
    }
    if random.chance(0.4) {
        for x in [-grip, grip] {
            canvas.stroke(&[(x, lid), (x, bottom)], width, detail);
        }
    }
}

/// A right half, from the top down, completed by its mirror image.
fn mirrored(half: &[Point]) -> Vec<Point> {
    half.iter().copied().chain(half.iter().rev().map(|&(x, y)| (-x, y))).collect()
}

/// The outline with its corners cut (Chaikin's algorithm, 1974).
fn smooth(outline: &[Point]) -> Vec<Point> {
    let next = outline.iter().cycle().skip(1);
    let mix = |a: Point, b: Point| (0.75 * a.0 + 0.25 * b.0, 0.75 * a.1 + 0.25 * b.1);
    outline.iter().zip(next).flat_map(|(&a, &b)| [mix(a, b), mix(b, a)]).collect()
}
