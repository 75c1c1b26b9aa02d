const XLSX = require('xlsx'), ExcelJS = require('exceljs');
const out = process.argv[2];
(async () => {
  // SheetJS, with its defaults, and with dates as dates
  const rows = [
    ['id', 'name', 'phone', 'employee_id', 'created', 'enabled', 'note'],
    ['0049123', 'Müller, Jörg', '+49 30 123', 7, new Date(2024, 2, 7), true, 'two\r\nlines'],
    ['0049124', 'O\'Neil "Kim"', '030 1', 8, new Date(2023, 11, 31), false, '_x005F_x0041_'],
    ['0049125', 'Ärö', '', 4917012345678901, new Date(2024, 1, 29), true, 0.1 + 0.2],
  ];
  let ws = XLSX.utils.aoa_to_sheet(rows);
  for (const a of ['D2', 'D3']) ws[a].z = '00000';
  let wb = XLSX.utils.book_new(); XLSX.utils.book_append_sheet(wb, ws, 'People');
  XLSX.writeFile(wb, out + '/sheetjs.xlsx');
  ws = XLSX.utils.aoa_to_sheet(rows, {cellDates: true});
  for (const a of ['D2', 'D3']) ws[a].z = '00000';
  wb = XLSX.utils.book_new(); XLSX.utils.book_append_sheet(wb, ws, 'People');
  XLSX.writeFile(wb, out + '/sheetjs-celldates.xlsx', {cellDates: true, bookSST: true});
  // ExcelJS
  const eb = new ExcelJS.Workbook(); eb.properties.date1904 = process.argv[3] === '1904';
  eb.created = eb.modified = new Date(Date.UTC(2026, 0, 1));
  const es = eb.addWorksheet('People'); 
  const hidden = eb.addWorksheet('Lists', {state: 'hidden'}); hidden.addRow(['nothing']);
  es.addRow(rows[0]);
  for (const r of rows.slice(1)) { const c = r.slice(); c[4] = new Date(Date.UTC(r[4].getFullYear(), r[4].getMonth(), r[4].getDate())); es.addRow(c); }
  es.getCell('D2').numFmt = '00000'; es.getCell('D3').numFmt = '00000';
  for (const a of ['E2','E3','E4']) es.getCell(a).numFmt = 'dd/mm/yyyy';
  es.getCell('G4').value = {formula: '0.1+0.2', result: 0.30000000000000004};
  es.getCell('B4').value = {richText: [{text: 'Ä', font: {bold: true}}, {text: 'rö'}]};
  es.getColumn(3).hidden = true; es.getRow(3).hidden = true;
  await eb.xlsx.writeFile(out + (eb.properties.date1904 ? '/exceljs-1904.xlsx' : '/exceljs.xlsx'));
})();
