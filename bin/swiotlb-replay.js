#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// Before anything is loaded: what lives long here is in typed arrays and tables, and a nursery for
// objects that grows would only take memory.
setFlagsFromString('--semi-space-growth-factor=1');
await import('../dist/cli/main.js');
