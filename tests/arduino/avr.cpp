/* `Arduino.h` on an ATmega328P of 16 MHz: the first serial port, and the time from timer 1. Ends by sleeping without interrupts,
 * which stops simavr, and says before how much stack was used. */
#include "Arduino.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdlib.h>

SerialPort Serial;

static volatile uint16_t overflows;

ISR(TIMER1_OVF_vect) { overflows++; }

unsigned long micros()
{
    const uint8_t flags = SREG;
    cli();
    uint32_t high = overflows;
    const uint16_t low = TCNT1;
    if ((TIFR1 & _BV(TOV1)) != 0 && low < 32768) {
        high++;
    }
    SREG = flags;
    return (high << 16 | low) / (F_CPU / 1000000);
}

void SerialPort::begin(unsigned long baud)
{
    UCSR0A = _BV(U2X0);
    UBRR0 = static_cast<uint16_t>(F_CPU / 8 / baud - 1);
    UCSR0B = _BV(TXEN0);
}

void SerialPort::print(char character)
{
    loop_until_bit_is_set(UCSR0A, UDRE0);
    UDR0 = static_cast<uint8_t>(character);
}

void SerialPort::print(const char *text)
{
    while (*text != 0) {
        print(*text++);
    }
}

void SerialPort::print(const __FlashStringHelper *text)
{
    const char *at = reinterpret_cast<const char *>(text);
    for (char character; (character = static_cast<char>(pgm_read_byte(at))) != 0; at++) {
        print(character);
    }
}

void SerialPort::print(long number)
{
    char text[12];
    print(static_cast<const char *>(ltoa(number, text, 10)));
}

void SerialPort::print(unsigned long number)
{
    char text[11];
    print(static_cast<const char *>(ultoa(number, text, 10)));
}

void SerialPort::print(double number, int digits)
{
    char text[24];
    print(static_cast<const char *>(dtostrf(number, 1, static_cast<unsigned char>(digits), text)));
}

/* Where the variables end and the stack may reach. */
extern uint8_t _end;

enum { PAINT = 0xc5 };

int main()
{
    for (uint8_t *at = &_end; at < reinterpret_cast<uint8_t *>(SP) - 8; at++) {
        *at = PAINT;
    }
    TCCR1A = 0;
    TCCR1B = _BV(CS10);
    TIMSK1 = _BV(TOIE1);
    sei();
    setup();
    loop();
    const uint8_t *at = &_end;
    while (*at == PAINT) {
        at++;
    }
    Serial.print(F("stack: "));
    Serial.println(static_cast<unsigned>(reinterpret_cast<const uint8_t *>(RAMEND) + 1 - at));
    loop_until_bit_is_set(UCSR0A, TXC0);
    cli();
    sleep_enable();
    sleep_cpu();
    return 0;
}
