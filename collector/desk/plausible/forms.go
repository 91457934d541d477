package plausible

// Forms are what people of the made-up desk ask for again and again, as their lead
// writes it.
var Forms = []string{`name: {en: New laptop, fr: Nouvel ordinateur portable}
help: {en: It takes about two weeks. The old one stays with you until then., fr: Comptez deux semaines. Vous gardez l’ancien jusque-là.}
category: peripheral
queue: Hardware
urgency: low
fields:
  - {key: model, kind: choice, required: true, label: {en: Which one, fr: Lequel}, choices: [{en: Light, fr: Léger}, {en: Powerful, fr: Puissant}]}
  - {key: needed-by, kind: date, label: {en: Needed by, fr: Souhaité pour le}}
  - {key: why, kind: text, required: true, label: {en: What it is for, fr: Pour quel usage}}
checklist:
  - {en: Order it, fr: Le commander}
  - {en: Set it up and enrol it, fr: Le préparer et l’enrôler}
  - {en: Hand it over and take the old one back, fr: Le remettre et reprendre l’ancien}
`, `name: {en: Access to a shared folder, fr: Accès à un dossier partagé}
help: {en: Who owns the folder is asked first., fr: La personne responsable du dossier est consultée d’abord.}
category: sign-in
urgency: normal
fields:
  - {key: folder, kind: text, required: true, label: {en: Which folder, fr: Quel dossier}}
  - {key: right, kind: choice, required: true, label: {en: Right, fr: Droit}, choices: [{en: Read, fr: Lire}, {en: Write, fr: Écrire}]}
  - {key: until, kind: date, label: {en: Until, fr: Jusqu’au}}
checklist:
  - {en: Ask the owner of the folder, fr: Demander à la personne responsable du dossier}
  - {en: Give the right, fr: Donner le droit}
`}
