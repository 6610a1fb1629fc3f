import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escaped, html } from '../../../src/render/html/markup.js';

describe('escaping', () => {
  test('leaves nothing that marks up, breaks out of quotes or drives a terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escaped(text)).not.toMatch(/[<>"'\p{Cc}\p{Cf}]|&(?!(amp|lt|gt|quot|#39);)/u);
        expect(escaped(text)).not.toMatch(/\p{Cs}/u);
      }),
    );
  });

  test('keeps what the text means', () => {
    expect(escaped(`<a href="x">&'</a>`)).toBe('&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;');
    expect(escaped('\u202e')).toBe('\\u202e');
    expect(escaped('\ud800')).toBe('\ufffd');
  });
});

describe('templates', () => {
  test('escape texts and lists of them, and keep markup', () => {
    const inner = html`<b>${'<'}</b>`;
    expect(html`<p title="${'"'}">${inner}${['&', inner]}${7}${undefined}</p>`.markup).toBe(
      '<p title="&quot;"><b>&lt;</b>&amp;<b>&lt;</b>7</p>',
    );
  });
});
