#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that send readings to telemetry.py, and wait for each answer: PORT RATE SECONDS.

RATE is readings per second of all devices together; 0: as fast as they are answered. At the end, or on
SIGTERM, prints how many were answered.
"""

import asyncio
import contextlib
import json
import signal
import sys

import websockets

DEVICES = 50


class Load:
    def __init__(self, port, rate, seconds):
        self.port = port
        self.pause = DEVICES / rate if rate else 0
        self.seconds = seconds
        self.answered = 0

    async def drive(self, number):
        clock = asyncio.get_running_loop()
        async with websockets.connect(f"ws://127.0.0.1:{self.port}/devices/d{number}",
                                      compression=None) as socket:
            due = clock.time() + self.pause * number / DEVICES
            while True:
                await asyncio.sleep(max(0, due - clock.time()))
                due = max(due + self.pause, clock.time() - 1)
                await socket.send(json.dumps({"value": self.answered % 100, "unit": "%"}))
                await socket.recv()
                self.answered += 1

    async def run(self):
        devices = asyncio.gather(*[self.drive(i) for i in range(DEVICES)])
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, devices.cancel)
        with contextlib.suppress(asyncio.TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(devices, self.seconds)
        print(f"answered {self.answered}", flush=True)


if __name__ == "__main__":
    asyncio.run(Load(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])).run())
