// What npm's mailparser and postal-mime show of messages: oracles for message/, as one long-lived worker each (the
// protocol of gmime_reader.c).  Usage: node node_reader.mjs mailparser|postal-mime FOLDER-OF-NODE-MODULES
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [which, folder] = process.argv.slice(2);
const require = createRequire(path.join(folder, 'x.js'));
const hex = text => Buffer.from(text ?? '', 'utf8').toString('hex');

let read;
if (which === 'mailparser') {
    const { simpleParser } = require('mailparser');
    read = async data => {
        const lines = [];
        const mail = await simpleParser(data, { skipImageLinks: true, skipTextToHtml: true, skipTextLinks: true });
        if (mail.subject !== undefined) lines.push('subject ' + hex(mail.subject));
        if (mail.text) lines.push('part text/plain inline ' + hex(mail.text));
        if (mail.html) lines.push('part text/html inline ' + hex(mail.html));
        for (const a of mail.attachments ?? []) {
            if (a.filename) lines.push('name ' + hex(a.filename));
            if (a.contentType === 'message/rfc822') for (const l of await read(a.content)) if (!l.startsWith('subject')) lines.push(l);
        }
        return lines;
    };
} else {
    const module = await import(pathToFileURL(require.resolve('postal-mime')).href);
    const PostalMime = module.default?.default ?? module.default;
    read = async data => {
        const lines = [];
        const mail = await PostalMime.parse(data);
        if (mail.subject !== undefined) lines.push('subject ' + hex(mail.subject));
        if (mail.text) lines.push('part text/plain inline ' + hex(mail.text));
        if (mail.html) lines.push('part text/html inline ' + hex(mail.html));
        for (const a of mail.attachments ?? []) if (a.filename) lines.push('name ' + hex(a.filename));
        return lines;
    };
}

// Some messages a parser never comes to an end with: then it saw nothing.
async function within(reading) {
    let timer;
    const late = new Promise(resolve => { timer = setTimeout(resolve, 10000, []); });
    try {
        return await Promise.race([reading, late]);
    } finally {
        clearTimeout(timer);
    }
}

let have = Buffer.alloc(0);
for await (const chunk of process.stdin) {
    have = Buffer.concat([have, chunk]);
    while (have.length >= 4 && have.length >= 4 + have.readUInt32BE(0)) {
        const n = have.readUInt32BE(0);
        const data = have.subarray(4, 4 + n);
        have = have.subarray(4 + n);
        let text = '';
        try {
            text = (await within(read(data))).map(l => l + '\n').join('');
        } catch (e) {
            text = '';
        }
        const body = Buffer.from(text, 'latin1');
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length);
        process.stdout.write(Buffer.concat([head, body]));
    }
}
