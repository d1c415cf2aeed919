/* The exported C99 of a network of any task on a Cortex-M: reads `rows`, writes `answers` as the program `samples` does, and prints
 * the mean instructions of an answer, from raw values to a class, labels, numbers or a score.
 * RAW is the type of a raw value, SUFFIX the end of the functions' names, PUSH the function that fills a window, TASK one of
 * those below, NO_THRESHOLD where a file has none for its score. */
#include "count.h"
#include "host.h"
#include "model.h"

#define CLASS 0
#define LABELS 1
#define VALUES 2
#define SCORE 3

#define JOIN(a, b, c) a##b##c
#define NAME(a, b, c) JOIN(a, b, c)
#define ASK(verb) NAME(model_, verb, SUFFIX)

static int out;
static uint32_t answers, before;
static uint64_t sum;

static void counted(void)
{
    sum += instructions(before);
    answers++;
}

/* "mean=", a number, and the end of the line. */
static void print_mean(void)
{
    char text[20];
    char *at = text + sizeof text;
    uint32_t mean = answers == 0 ? 0 : (uint32_t)(sum / answers);
    *--at = 0;
    *--at = '\n';
    do {
        *--at = (char)('0' + mean % 10);
        mean /= 10;
    } while (mean > 0);
    call(SYS_WRITE0, "mean=");
    call(SYS_WRITE0, at);
}

static void put(void *words, size_t bytes)
{
    if (!moved(SYS_WRITE, out, words, bytes)) {
        end(1);
    }
}

void start(void)
{
#ifdef PUSH
    static RAW row[MODEL_CHANNELS];
    static model_window window;
    const model_window *const sample = &window;
#else
    static RAW row[MODEL_INPUTS];
    const RAW *const sample = row;
#endif
#if TASK != SCORE
    static int32_t logits[MODEL_OUTPUTS];
#endif
    const int rows = open_file("rows", 4, 1);
    out = open_file("answers", 7, 5);
    start_counting();
    while (moved(SYS_READ, rows, row, sizeof row)) {
#ifdef PUSH
        if (!PUSH(&window, row)) {
            continue;
        }
#endif
#if TASK == CLASS
        int32_t class;
        before = now();
        class = (int32_t)ASK(classify)(sample);
        counted();
        put(&class, sizeof class);
#elif TASK == LABELS
        static uint8_t bits[(MODEL_OUTPUTS + 7) / 8];
        uint32_t n;
        before = now();
        ASK(labels)(sample, bits);
        counted();
        for (n = 0; n < sizeof bits; n++) {
            uint32_t word = bits[n];
            put(&word, sizeof word);
        }
#elif TASK == VALUES
        static float values[MODEL_OUTPUTS];
        static int32_t fixed[MODEL_OUTPUTS];
        before = now();
        ASK(predict)(sample, values);
        counted();
        ASK(predict_fixed)(sample, fixed);
        put(values, sizeof values);
        put(fixed, sizeof fixed);
#else
        float score;
        int32_t anomaly;
        before = now();
        score = ASK(score)(sample);
        counted();
#ifdef NO_THRESHOLD
        anomaly = 2;
#else
        anomaly = ASK(anomaly)(sample);
#endif
        put(&score, sizeof score);
        put(&anomaly, sizeof anomaly);
#endif
#if TASK != SCORE
        ASK(logits)(sample, logits);
        put(logits, sizeof logits);
#endif
    }
    print_mean();
    end(0);
}
