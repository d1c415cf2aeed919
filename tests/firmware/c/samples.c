/* The exported C99 of a network of any task on a Cortex-M4: reads `rows`, writes `answers` as the program `samples` does.
 * RAW is the type of a raw value, SUFFIX the end of the functions' names, PUSH the function that fills a window, TASK one of
 * those below. */
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
    while (moved(SYS_READ, rows, row, sizeof row)) {
#ifdef PUSH
        if (!PUSH(&window, row)) {
            continue;
        }
#endif
#if TASK == CLASS
        int32_t class = (int32_t)ASK(classify)(sample);
        put(&class, sizeof class);
#elif TASK == LABELS
        static uint8_t bits[(MODEL_OUTPUTS + 7) / 8];
        uint32_t n;
        ASK(labels)(sample, bits);
        for (n = 0; n < sizeof bits; n++) {
            uint32_t word = bits[n];
            put(&word, sizeof word);
        }
#elif TASK == VALUES
        static float values[MODEL_OUTPUTS];
        static int32_t fixed[MODEL_OUTPUTS];
        ASK(predict)(sample, values);
        ASK(predict_fixed)(sample, fixed);
        put(values, sizeof values);
        put(fixed, sizeof fixed);
#else
        float score = ASK(score)(sample);
        int32_t anomaly = ASK(anomaly)(sample);
        put(&score, sizeof score);
        put(&anomaly, sizeof anomaly);
#endif
#if TASK != SCORE
        ASK(logits)(sample, logits);
        put(logits, sizeof logits);
#endif
    }
    end(0);
}
