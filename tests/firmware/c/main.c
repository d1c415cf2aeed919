/* The exported C99 on a Cortex-M4, without a library: reads `images`, writes `logits`, through semihosting.
 * `selvedge export --format c --prefix model` makes model.h and model.c. */
#include "model.h"

#include "host.h"

void start(void)
{
    static uint8_t pixels[MODEL_INPUTS];
    static int32_t logits[MODEL_OUTPUTS];
    const int images = open_file("images", 6, 1), out = open_file("logits", 6, 5);
    while (moved(SYS_READ, images, pixels, sizeof pixels)) {
        const uint32_t class = model_classify(pixels);
        model_logits(pixels, logits);
        if (class >= MODEL_OUTPUTS || !moved(SYS_WRITE, out, logits, sizeof logits)) {
            end(1);
        }
    }
    end(0);
}
