//! The questions that a network of each task answers, in C.

use selvedge::format::{InputMap, Task, ValueScale};

use super::interface::{Interface, Question};
use super::literal::{array, float};
use crate::error::{Error, Result};

/// The question that every network answers: its logits. `body` computes them.
pub(super) fn logits(of: &Interface<'_>, body: String) -> Question {
    let (i, o) = (of.header().inputs(), of.header().outputs());
    let what = if of.is_picture() { "pixels" } else { "raw values" };
    let nan = if of.may_be_nan() { "; 0, or -2 where a value is not a number" } else { "" };
    Question {
        verb: "logits",
        result: of.outcome(),
        parameters: format!(", {} *logits", of.logit()),
        arguments: ", logits",
        about: format!("From {i} {what} to {o} logits{nan}."),
        body,
    }
}

/// The questions of the task, and the arrays that they need.
///
/// # Errors
/// `Model` for a threshold that C cannot write.
pub(super) fn of_task(of: &Interface<'_>) -> Result<(String, Vec<Question>)> {
    Ok(match of.header().task() {
        Task::Class => (String::new(), vec![classify(of)?]),
        Task::Labels => (String::new(), vec![labels(of)?]),
        Task::Values => values(of),
        _ => (String::new(), score(of)?),
    })
}

/// A number that a header stores for logits: an integer, or the bits of a float.
fn stored(of: &Interface<'_>, bits: u32, signed: bool) -> Result<String> {
    match (of.header().dtype().is_integer(), f32::from_bits(bits)) {
        // The digits of the least integer alone would be a long.
        (true, _) if signed && bits as i32 == i32::MIN => Ok("(-2147483647 - 1)".into()),
        (true, _) if signed => Ok((bits as i32).to_string()),
        (true, _) => Ok(format!("{bits}u")),
        (false, x) if x.is_finite() => Ok(float(x)),
        (false, x) => Err(Error::model(format!("cannot export the model: its threshold is {x}"))),
    }
}

fn classify(of: &Interface<'_>) -> Result<Question> {
    let margin = of.header().margin_bits();
    let of_picture = of.is_picture() && margin == 0;
    let result = if of_picture { "uint32_t" } else { "int32_t" };
    let unknown = match (margin, of.header().dtype().is_integer()) {
        (0, _) => String::new(),
        (_, true) => UNKNOWN.replace(
            "CONDITION",
            &format!("(uint32_t)(logits[best] - logits[o]) < {}", stored(of, margin, false)?),
        ),
        (_, false) => UNKNOWN
            .replace("CONDITION", &format!("!(logits[best] - logits[o] >= {})", stored(of, margin, false)?)),
    };
    let body = CLASSIFY
        .replace("CALL", &of.logits_into("logits", "-2"))
        .replace("UNKNOWN", &unknown)
        .replace("BEST", if of_picture { "best" } else { "(int32_t)best" });
    let mut about = format!(
        "The class of {}: the position of its largest logit, the first of equals",
        if of.is_picture() { "an image" } else { "a sample" }
    );
    if margin != 0 {
        about += "; -1, unknown, where the second\n * is too near";
    }
    if of_picture {
        about += ".\n * In a file with a margin an int32_t: -1 for unknown";
    }
    if of.may_be_nan() {
        about += "; -2 where a value is not a number";
    }
    about += ".";
    let parameters = String::new();
    Ok(Question { verb: "classify", result, parameters, arguments: "", about, body: of.fill(&body) })
}

const CLASSIFY: &str = "    LOGIT logits[OUTPUTS];
    uint32_t best = 0;
    uint32_t o;
CALL    for (o = 1; o < OUTPUTS; o++) {
        if (logits[o] > logits[best]) {
            best = o;
        }
    }
UNKNOWN    return BEST;
";

const UNKNOWN: &str = "    for (o = 0; o < OUTPUTS; o++) {
        if (o != best && CONDITION) {
            return -1;
        }
    }
";

fn labels(of: &Interface<'_>) -> Result<Question> {
    let body = LABELS
        .replace("CALL", &of.logits_into("logits", "-2"))
        .replace("THRESHOLD", &stored(of, of.header().label_threshold_bits(), true)?)
        + of.done();
    let nan = if of.may_be_nan() { " 0, or -2 where a value is not a number." } else { "" };
    Ok(Question {
        verb: "labels",
        result: of.outcome(),
        parameters: ", uint8_t *bits".into(),
        arguments: ", bits",
        about: format!("Sets bit o % 8 of byte o / 8 where label o applies, in {} bytes.{nan}", bytes(of)),
        body: of.fill(&body),
    })
}

/// Bytes with a bit for each output.
fn bytes(of: &Interface<'_>) -> usize {
    of.header().outputs().div_ceil(8)
}

const LABELS: &str = "    LOGIT logits[OUTPUTS];
    uint32_t o;
CALL    for (o = 0; o < OUTPUTS; o++) {
        const uint32_t bit = logits[o] >= THRESHOLD ? 1u << o % 8 : 0u;
        bits[o / 8] = (uint8_t)(o % 8 == 0 ? bit : bits[o / 8] | bit);
    }
";

fn values(of: &Interface<'_>) -> (String, Vec<Question>) {
    let (adds, factors): (Vec<_>, Vec<_>) = (0..of.header().outputs())
        .map(|output| match of.model.value_scale(output) {
            ValueScale::Integer { add, scale } => (add.to_string(), scale),
            ValueScale::Float { scale, offset } => (float(offset), scale),
        })
        .unzip();
    let integer = of.header().dtype().is_integer();
    let mut arrays = String::new();
    let kind = format!("static const {}", of.logit());
    array(&mut arrays, &kind, "@_adds", adds.into_iter());
    let value = if integer {
        "(float)(logits[o] + READ(int32_t, @_adds, o)) * READ(float, @_units, o)"
    } else {
        let factors: Vec<_> = factors.iter().map(|x| float(*x)).collect();
        array(&mut arrays, "static const float", "@_factors", factors.into_iter());
        "logits[o] * READ(float, @_factors, o) + READ(float, @_adds, o)"
    };
    let nan = if of.may_be_nan() { "; 0, or -2 where a\n * value is not a number" } else { "" };
    let body = VALUES.replace("CALL", &of.logits_into("logits", "-2")).replace("VALUE", value) + of.done();
    let mut questions = vec![Question {
        verb: "predict",
        result: of.outcome(),
        parameters: ", float *values".into(),
        arguments: ", values",
        about: format!(
            "The {} numbers that it answers, in the units of the data{nan}.",
            of.header().outputs()
        ),
        body: of.fill(&body),
    }];
    if integer {
        let body = FIXED.replace("CALL", &of.logits_into("values", "-2")) + of.done();
        questions.push(Question {
            verb: "predict_fixed",
            result: of.outcome(),
            parameters: ", int32_t *values".into(),
            arguments: ", values",
            about: "The same in fixed point: number o is values[o] * @_units[o].".into(),
            body: of.fill(&body),
        });
    }
    (arrays, questions)
}

const VALUES: &str = "    LOGIT logits[OUTPUTS];
    uint32_t o;
CALL    for (o = 0; o < OUTPUTS; o++) {
        values[o] = VALUE;
    }
";

const FIXED: &str = "    uint32_t o;
CALL    for (o = 0; o < OUTPUTS; o++) {
        values[o] += READ(int32_t, @_adds, o);
    }
";

/// The score of a reconstruction, and its verdict where the file has a threshold. In files of integers they call the function
/// `squares`, in files of floats the verdict compares the score.
fn score(of: &Interface<'_>) -> Result<Vec<Question>> {
    let header = of.header();
    let integer = header.dtype().is_integer();
    let squares = |failure: &str| {
        let call = format!("@_squares({}, &sum)", of.arguments());
        format!("    uint64_t sum;\n{}", of.call(&call, failure))
    };
    let body = if integer {
        format!("{}    return (float)sum * {};\n", squares("-2.0f"), float(header.score_unit()))
    } else {
        float_score(of)
    };
    let nan = |value: &str| match of.may_be_nan() {
        true => format!("; {value} where a\n * value is not a number"),
        false => String::new(),
    };
    let mut questions = vec![Question {
        verb: "score",
        result: "float",
        parameters: String::new(),
        arguments: "",
        about: format!(
            "How far the reconstruction is from the sample: the mean squared error of the network's inputs{}.",
            nan("-2")
        ),
        body,
    }];
    let verdict = match (header.score_threshold(), header.float_score_threshold()) {
        (Some(threshold), _) => {
            Some(format!("{}    return sum > UINT64_C({threshold}) ? 1 : 0;\n", squares("-2")))
        }
        (None, threshold) if !integer && threshold < f32::INFINITY => {
            let score = of.of_sample("score");
            let nan =
                if of.may_be_nan() { "    if (score < 0.0f) {\n        return -2;\n    }\n" } else { "" };
            // A score that is no number, of an infinite value, is an anomaly.
            let threshold = stored(of, threshold.to_bits(), false)?;
            Some(format!(
                "    const float score = {score});\n{nan}    return score <= {threshold} ? 0 : 1;\n"
            ))
        }
        _ => None,
    };
    questions.extend(verdict.map(|body| Question {
        verb: "anomaly",
        result: "int",
        parameters: String::new(),
        arguments: "",
        about: format!("1 where that is above the threshold of the file, else 0{}.", nan("-2")),
        body,
    }));
    Ok(questions)
}

fn float_score(of: &Interface<'_>) -> String {
    let input = super::float::input(of, "VALUE");
    let each =
        of.each(&format!("        error = logits[i] - {input};\n        sum += error * error;\n"), "VALUE");
    let text = format!(
        "    LOGIT logits[OUTPUTS];\n    float sum = 0.0f;\n    float error;\n{}{}{each}    return sum / OUTPUTS.0f;\n",
        of.each_variables(),
        of.logits_into("logits", "-2.0f"),
    );
    of.fill(&text)
}

/// The function `squares` of a file of integers: the squared errors of all outputs, each added as it comes, so that the outputs
/// need no memory. `before` is the call that computes the inputs of the last layer, with its buffers, `sums` the call that
/// fills four sums of outputs from `o` on and advances the weights, and `bias` the bias of output `o`.
pub(super) fn squares(of: &Interface<'_>, before: &str, sums: &str, bias: &str) -> String {
    let (header, outputs) = (of.header(), 0..of.header().outputs());
    let shift = header.score_shift();
    let mut text = String::new();
    let scales: Vec<_> = outputs.map(|output| of.model.error_scale(output)).collect();
    for (kind, array_name, values) in [
        ("int32_t", "adds", scales.iter().map(|s| i64::from(s.add)).collect::<Vec<_>>()),
        ("uint32_t", "factors", scales.iter().map(|s| i64::from(s.mul)).collect()),
    ] {
        let name = format!("@_{array_name}");
        array(&mut text, &format!("static const {kind}"), &name, values.into_iter());
    }
    let rounded = match shift {
        0 => "error".into(),
        _ => format!("@_shifted(error + {}, {shift})", (1u32 << shift) >> 1),
    };
    let code = super::input::code(of, "VALUE");
    let each = of.each(&EACH.replace("SUMS", sums).replace("BIAS", bias).replace("CODE", &code), "VALUE");
    let body = SQUARES
        .replace("OUTCOME", of.outcome())
        .replace("VARIABLES", of.each_variables())
        .replace("BEFORE", before)
        .replace("EACH", &each)
        .replace("DONE", of.done());
    text += &of.fill(&ERROR.replace("ROUNDED", &rounded));
    text + &of.fill(&body)
}

const ERROR: &str = "
/* The error of output o, in units of those that are squared; q is the code of the input. */
static int32_t @_error(int32_t z, uint32_t q, uint32_t o)
{
    const int32_t error = z + READ(int32_t, @_adds, o) - (int32_t)((q * READ(uint32_t, @_factors, o) + 128u) >> 8);
    const int32_t rounded = ROUNDED;
    return rounded < -32767 ? -32767 : rounded > 32767 ? 32767 : rounded;
}
";

const SQUARES: &str = "
static OUTCOME @_squares(PARAMETERS, uint64_t *sum)
{
    int32_t sums[4];
VARIABLESBEFORE    *sum = 0;
EACHDONE}
";

/// An output that is a reconstruction has the position of its input.
const EACH: &str = "        int32_t d;
        if (i % 4 == 0) {
            SUMS
        }
        d = @_error(sums[i % 4] + BIAS, CODE, i);
        *sum += (uint64_t)((int64_t)d * d);
";

/// What one unit of each number in fixed point is worth.
pub(super) fn units(of: &Interface<'_>) -> Vec<f32> {
    let scale = |output| match of.model.value_scale(output) {
        ValueScale::Integer { scale, .. } | ValueScale::Float { scale, .. } => scale,
    };
    (0..of.header().outputs()).map(scale).collect()
}

/// Whether the function that divides by powers of two is needed.
pub(super) fn shifts(of: &Interface<'_>) -> bool {
    let header = of.header();
    header.input_bits() == 14 || header.task() == Task::Reconstruction && header.score_shift() > 0
}

/// Whether there is a map for each feature.
pub(super) fn per_feature(of: &Interface<'_>) -> bool {
    of.header().input_map() == InputMap::AffinePerFeature
}
